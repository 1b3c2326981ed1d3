"""StarCraft II itself: SMAC's maps and SMACv2's, through the packages of their authors, one game per process."""
