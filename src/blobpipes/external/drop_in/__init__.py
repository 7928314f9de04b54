"""The rest of dagster-pipes' public names, for jobs that were written for it: docs/drop-in.md."""
