"""What stands in menus and in the command palette."""
