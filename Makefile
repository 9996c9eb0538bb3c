# make demo     see it work: the three steps on the demo network, a direction on the other one
# make live     paint a region, drag sliders: a page of the demo network
# make test     the tests; make test TESTS=tests/utils runs some of them
# make lint     ruff and mypy
# make bench    what it costs
# All set up what they need in .venv. PYTHON=python3.12 make demo chooses another Python (if there is no .venv yet).

PYTHON ?= python3
PY := .venv/bin/python
EYES := outputs/demo/directions_img_00_region_eyes_demo_projected.npy

.PHONY: demo live test lint bench
.DELETE_ON_ERROR:

demo: .venv/ready
	$(PY) compute_jacobian.py demo/demo128.pkl --total_num 1 --d_name demo
	$(PY) compute_directions.py outputs/jacobian_seed_4/w_dataset_demo.npy --region eyes --name demo \
	  --output_dir outputs/demo
	$(PY) manipulate.py demo/demo128.pkl $(EYES) --total_num 5 \
	  --mani_layers 0-11 --start_distance -1.5 --end_distance 1.5
	$(PY) manipulate.py demo/objects64.pth directions/objects64/size.npy --class_index 0-5 \
	  --total_num 6 --distance 2

live: .venv/ready
	$(PY) manipulate.py demo/demo128.pkl directions/demo128/*.npy --live

test: .venv/ready-dev
	$(PY) -m pytest -q -n auto --maxprocesses 4 $(TESTS)

lint: .venv/ready-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: .venv/ready-dev
	$(PY) benchmarks/run.py

.venv/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "error: $(PYTHON) is not Python 3.10 to 3.13; name one of these: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "error: $(PYTHON) lacks the venv module; install it (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 2; }
	@echo "setting up .venv (TensorFlow is large: this takes a few minutes once)"
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install -q --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/ready-dev: requirements-dev.txt .venv/ready
	@.venv/bin/pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch $@
