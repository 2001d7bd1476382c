"""Where Dagster keeps the runs of a study: SQLite in its folder, or Postgres for a team.

The study's `dagster.yaml` names `study_instance.StudyInstance`, so that whatever opens the instance
(`streetineq`, the web server, the daemon, a run's process) comes to the same storage.
"""
