"""States of a loop, shipped to another process or machine as they happen."""
