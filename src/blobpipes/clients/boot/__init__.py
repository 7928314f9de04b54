"""The way onto a machine that has nothing but Python: what is sent there, and the script that it runs at its start."""
