"""From the training thread to the run log and the views: bounded, counted, never in the way."""
