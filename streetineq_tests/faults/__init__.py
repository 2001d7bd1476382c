"""What goes wrong in operation, tried: see `conftest`."""

import pytest

pytest.register_assert_rewrite("streetineq_tests.faults.expected")
