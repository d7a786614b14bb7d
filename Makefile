# All that a fresh machine needs to know. Python 3.11 or newer, pip and make must be there; what
# else is needed is installed into .venv or, where there is no display, by apt.
#
#   make demo    open the Mandelbrot demo in napari (no display: write demo.png)
#   make test    run the whole test suite             make bench   run the benchmarks
#   make lint    ruff, import rules and mypy          make docs    build site/
#
#   make bench-quick  the most telling two minutes of the benchmarks
#   make soak         half an hour of a random user
#   make coverage     the suite, and how much of octree, sources and loading it runs
#   make test-lowest  the suite with the oldest versions that pyproject.toml allows
#   make dist         build and check what is published
#
# Variables: PYTHON (python3.11), QT (pyqt6, pyside6 or pyqt5), VENV (.venv), ARGS (more arguments of
# the program that is run), WORKERS (2: processes that run the suite, each with a display of its own;
# 0 runs it in pytest's own process).

PYTHON ?= $(shell command -v python3.11 || command -v python3)
QT ?= pyqt6
VENV ?= .venv
ARGS ?=
WORKERS ?= 2

BIN := $(VENV)/bin
# Qt's own choice of a binding may differ from ours where several are installed.
ENV := env QT_API=$(QT) PYTEST_QT_API=$(QT)

ifeq ($(shell uname -s),Linux)
ifeq ($(DISPLAY)$(WAYLAND_DISPLAY),)
HEADLESS := yes
XVFB := xvfb-run -a -s "-screen 0 1600x1200x24 +extension GLX"
SYSTEM := $(VENV)/.system-packages
endif
endif

# Where there is an Xvfb, pytest-xvfb starts one for each of them. The tests of a file share a window.
PYTEST := -m pytest -q -n $(WORKERS) --dist loadfile --max-worker-restart=0

# What Xvfb, Mesa's software renderer and Qt's xcb plugin need (shared-mime-info brings glib, whose
# own package has another name in each release).
SYSTEM_PACKAGES := xvfb xauth libgl1 libgl1-mesa-dri libegl1 libopengl0 libdbus-1-3 \
	libfontconfig1 fonts-dejavu-core shared-mime-info libxkbcommon-x11-0 libxcb-cursor0 \
	libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 \
	libxcb-shape0 libxcb-sync1 libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1

.PHONY: demo test coverage test-lowest bench bench-quick soak lint docs dist install-test system-packages clean

demo: $(VENV)/.installed-$(QT) $(SYSTEM)
ifdef HEADLESS
	$(ENV) $(XVFB) $(BIN)/napari-octree --demo mandelbrot --screenshot demo.png $(ARGS)
	@echo "There is no display here: the demo was drawn into $(CURDIR)/demo.png"
else
	$(ENV) $(BIN)/napari-octree --demo mandelbrot $(ARGS)
endif

test: $(VENV)/.installed-test-$(QT) $(SYSTEM)
	$(ENV) $(BIN)/python $(PYTEST) $(ARGS)

# The floor (in pyproject.toml): what the tests of these three packages run, rounded down.
coverage: $(VENV)/.installed-test-$(QT) $(SYSTEM)
	$(ENV) $(BIN)/python $(PYTEST) --cov --cov-report=term-missing:skip-covered $(ARGS)

test-lowest: .venv-lowest/.installed $(SYSTEM)
	$(ENV) .venv-lowest/bin/python $(PYTEST) $(ARGS)

bench: $(VENV)/.installed-test-$(QT) $(SYSTEM)
	$(ENV) $(XVFB) $(BIN)/python -m benchmarks.run $(ARGS)

bench-quick: $(VENV)/.installed-test-$(QT) $(SYSTEM)
	$(ENV) $(XVFB) $(BIN)/python -m benchmarks.compare --quick $(ARGS)

soak: $(VENV)/.installed-test-$(QT) $(SYSTEM)
	$(ENV) $(XVFB) $(BIN)/python -m benchmarks.soak $(ARGS)

lint: $(VENV)/.installed-test-$(QT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

dist: $(VENV)/.installed-release
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

install-test: $(VENV)/.installed-test-$(QT)

system-packages: $(SYSTEM)

# Pictures first: the pages show what this version draws.
docs: $(VENV)/.installed-docs $(SYSTEM)
	$(ENV) $(XVFB) $(BIN)/python docs/pictures/make.py
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) .venv-lowest dist site demo.png

# Debian keeps ensurepip in a package of its own: without it, pip installs itself into .venv.
$(BIN)/pip:
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
		$(PYTHON) -m venv $(VENV); \
	else \
		$(PYTHON) -m venv --without-pip $(VENV) \
			&& $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; \
	fi
	$(BIN)/python -m pip install --quiet --upgrade 'pip >=25.1'

$(VENV)/.installed-$(QT): pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet -e '.[$(QT)]'
	@touch $@

$(VENV)/.installed-test-$(QT): pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --group test --group bench --group lint -e '.[$(QT)]'
	@touch $@

$(VENV)/.installed-docs: pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --group docs -e '.[$(QT)]'
	@touch $@

$(VENV)/.installed-release: pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --group release
	@touch $@

.venv-lowest/.installed: pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct \
		--group test-lowest -e '.[$(QT),fast,remote,slides,disk,points,lidar,cluster]'
	@touch $@

# Only what is missing; as root by itself, else by the one line that is printed.
$(VENV)/.system-packages: | $(BIN)/pip
	@if ! command -v apt-get >/dev/null; then \
		command -v xvfb-run >/dev/null \
			|| { echo "No display: install Xvfb and Mesa's OpenGL (llvmpipe) first." >&2; exit 1; }; \
	else \
		missing=""; \
		for package in $(SYSTEM_PACKAGES); do \
			dpkg-query --show --showformat='$${db:Status-Status}' $$package 2>/dev/null \
				| grep -qx installed || missing="$$missing $$package"; \
		done; \
		if [ -n "$$missing" ]; then \
			if [ "$$(id -u)" = 0 ]; then \
				export DEBIAN_FRONTEND=noninteractive; \
				apt-get update -qq && apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
			else \
				echo "There is no display here, and packages are missing for one in memory:" >&2; \
				echo "  sudo apt-get install -y --no-install-recommends$$missing" >&2; \
				exit 1; \
			fi; \
		fi; \
	fi
	@touch $@
