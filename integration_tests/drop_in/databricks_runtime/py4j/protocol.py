class Py4JJavaError(Exception):
    """As py4j raises it for an exception on the Java side."""
