"""Other libraries as referees. They are no dependencies: where one is missing, its tests are skipped."""


def pytest_configure(config):
    config.addinivalue_line("markers", "oracle: compares with another library, if it is installed")
