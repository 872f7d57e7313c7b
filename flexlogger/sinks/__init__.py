"""Views of the run log, and the thread and patience that go around each."""
