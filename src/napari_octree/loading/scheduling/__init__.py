"""Decides what is read and made next: no threads, no clock."""
