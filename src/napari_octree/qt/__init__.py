"""Dock widgets and menus: the only package that shows anything but the canvas."""
