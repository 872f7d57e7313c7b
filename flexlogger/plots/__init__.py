"""From records to panels: which values a window holds, and the plot it becomes. Knows numpy and records, no torch."""
