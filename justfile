# The habits of this project; `just` lists them. CONTRIBUTING.md says more.

[private]
default:
    @just --list

# Everything that a change must pass
ci:
    .ci/run

# What is quick: format, lints, unit tests
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo test -p atomic-arrow --lib

# Tests of one behaviour of the library, such as `just test staging::`
test name:
    cargo test -p atomic-arrow --test all {{ name }}

# Tests of the command
test-cli *name:
    cargo test -p atomic-arrow-cli {{ name }}

# Tests of the Python package; arguments go to pytest
test-python *arguments:
    python/tests/run {{ arguments }}

# One section of the crash laboratory, in its quick form
lab section:
    cargo run --release -p atomic-arrow-lab -- --section {{ section }} --quick

# The documentation, opened in a browser
doc:
    cargo doc --workspace --no-deps --all-features --open

# The pages of docs/ as one site, in target/site
site:
    docs/build

# Writes docs/types.md anew, by what readers read
types:
    ATOMIC_ARROW_WRITE_DOCS=1 cargo test -p atomic-arrow --test all types::

# Licences, advisories and sources of all crates
deny:
    cargo deny check

# What would be released: packages of the crates, each built from what is in it, and a wheel that installs without a toolchain
package:
    rm -rf target/packaging
    cargo package --package atomic-arrow --package atomic-arrow-cli --package atomic-arrow-datafusion --locked
    python3 -m venv target/packaging/tools
    target/packaging/tools/bin/pip install --quiet --only-binary=:all: maturin==1.16.0 ziglang==0.17.1
    cd python && PATH="$PWD/../target/packaging/tools/bin:$PATH" \
        maturin build --release --locked --zig --compatibility manylinux_2_28 --out ../target/packaging/wheels
    python3 -m venv target/packaging/fresh
    target/packaging/fresh/bin/pip install --quiet --no-index target/packaging/wheels/*-cp311-abi3-manylinux_2_28_*.whl
    target/packaging/fresh/bin/atomic-arrow --version
    target/packaging/fresh/bin/python -c 'import atomic_arrow'
