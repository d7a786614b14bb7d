"""What a viewer shows, as values: one view, and a trace of views and looks over time."""
