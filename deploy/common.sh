# Shared by the scripts of this folder; source it, it does nothing by itself.

# What building and running need, and what the tests need beyond that (Debian 12 names).
# shellcheck disable=SC2034  # used by the scripts that source this file
RUNTIME_PACKAGES=(
    g++ librdkafka-dev libhiredis-dev libsimdjson-dev libsqlite3-dev pkg-config tzdata
)
# shellcheck disable=SC2034
TEST_PACKAGES=(curl jq nginx-light openssl redis-server wrk)

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# Installs those of the named packages that are missing. Services that come along are neither
# started nor enabled: the tests start their own, with their own ports and folders.
install_packages() {
    local missing=() package as_root=()
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            die "missing packages: ${missing[*]} (install them as root, or install sudo)"
        as_root=(sudo)
    fi
    say "installing ${missing[*]}"

    local policy=/usr/sbin/policy-rc.d own_policy=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod 755 "$policy"
        own_policy=1
    fi
    local log status=0
    log=$(mktemp)
    {
        "${as_root[@]}" apt-get update -qq &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -qq --no-install-recommends "${missing[@]}"
    } >"$log" 2>&1 || status=$?
    [ "$own_policy" -eq 1 ] && "${as_root[@]}" rm -f "$policy"
    for package in "${missing[@]}"; do
        case $package in
        redis-server) "${as_root[@]}" systemctl disable redis-server >/dev/null 2>&1 || true ;;
        nginx-light) "${as_root[@]}" systemctl disable nginx >/dev/null 2>&1 || true ;;
        esac
    done
    if [ "$status" -ne 0 ]; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "apt-get could not install ${missing[*]}"
    fi
    rm -f "$log"
}

require_swift() {
    command -v swift >/dev/null ||
        die "swift is missing: install Swift 6.2 or later (https://www.swift.org/install/linux/)"
}
