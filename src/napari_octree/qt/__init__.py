"""Dock widgets and menus: the only room that shows anything but the canvas."""
