"""Small composable pieces of dashboards, one YAML file each."""
