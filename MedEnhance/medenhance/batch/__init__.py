"""Many studies: finds them below a folder, does each by the one path of the task, keeps what is done."""
