#!/bin/sh
# Makes the packages of the lean build for Linux: a tarball and a Debian package with one static binary, completions,
# manual pages, licences and a list of its parts; and their checksums. Two runs on the same commit and toolchain make the same bytes.
#
# Needs cargo, a C compiler, git, tar, gzip, and dpkg-deb for the Debian package. Run it in a clone without changes.
# Builds for musl where rustc has that target's standard library, else for glibc with the library linked in: such a binary looks
# names up in /etc/hosts and in the DNS alone.
#
# Usage: .ci/package.sh [FOLDER]                default: target/packages
#        .ci/package.sh --check FOLDER          runs what is in FOLDER in a root folder that has nothing else
#        .ci/package.sh --twice                 builds twice in folders of their own and compares the bytes
# TARGET=aarch64-unknown-linux-musl chooses another target, whose linker cargo must be told of. RUNNER names a static program that runs
# the binaries of another machine, such as qemu-aarch64-static. STD=build compiles the standard library, too, where rustc has its source
# (rust-src) but no library for the target; the linker must then bring the target's libc and its start files.
set -eu
cd "$(dirname "$0")/.."

fail() {
    printf '.ci/package.sh: %s\n' "$*" >&2
    exit 1
}

has_std() { [ "${STD:-}" = build ] || [ -d "$(rustc --print target-libdir --target "$1" 2>/dev/null)" ]; }

machine=$(uname -m)
target=${TARGET:-$machine-unknown-linux-musl}
has_std "$target" || { [ -z "${TARGET:-}" ] && target=$machine-unknown-linux-gnu; }
has_std "$target" || fail "rustc has no standard library for $target. Try: rustup target add $target"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
name=migrate-$version-$target

# Builds the binary into a target folder. The flags are for the target alone: cargo keeps them from its build scripts.
build() {
    home=${CARGO_HOME:-$HOME/.cargo}
    flags="-C target-feature=+crt-static --remap-path-prefix=$PWD=. --remap-path-prefix=$home=cargo"
    # Nothing unwinds in this profile, and a backtrace of a binary without symbols has no names.
    flags="$flags -C force-unwind-tables=no"
    std=
    if [ "${STD:-}" = build ]; then
        flags="$flags -C link-self-contained=no"
        std=-Zbuild-std=std,panic_abort
        export RUSTC_BOOTSTRAP=1
    fi
    # shellcheck disable=SC2086  # no argument if the library is not built
    RUSTFLAGS=$flags CARGO_TARGET_DIR=$1 \
        CFLAGS="-fno-asynchronous-unwind-tables -ffile-prefix-map=$PWD=. -ffile-prefix-map=$home=cargo" \
        cargo build --profile lean --locked --no-default-features --target "$target" $std
}

# The crates in the binary: name, version, licence.
crates() {
    cargo tree --locked --no-default-features --target "$target" -e normal --prefix none --format '{p}|{l}' |
        sed 's/ (\*)$//; s/ (proc-macro)//; s/ (.*)|/|/; s/ v\([0-9]\)/|\1/' | grep -v '^migrate|' | sort -u
}

# The parts of the binary as an SPDX document: one package for each crate.
bill() {
    printf 'SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: %s\n' "$name"
    printf 'DocumentNamespace: urn:migrate:%s:%s\nCreator: Tool: .ci/package.sh\n' "$version" "$(git rev-parse HEAD)"
    printf 'Created: %s\n' "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)"
    crates | while IFS='|' read -r crate number licence; do
        sum=$(sed -n "/^name = \"$crate\"\$/{n;/^version = \"$number\"\$/{n;n;s/^checksum = \"\(.*\)\"/\1/p;}}" Cargo.lock)
        printf '\nPackageName: %s\nSPDXID: SPDXRef-%s-%s\nPackageVersion: %s\n' "$crate" "$(echo "$crate" | tr _ -)" "$(echo "$number" | tr + -)" "$number"
        printf 'PackageDownloadLocation: NOASSERTION\nPackageLicenseDeclared: %s\n' "$(echo "${licence:-NOASSERTION}" | sed 's|/| OR |g')"
        [ -z "$sum" ] || printf 'PackageChecksum: SHA256: %s\n' "$sum"
    done
}

# The licence texts of every crate, each from its own package.
licences() {
    crates | while IFS='|' read -r crate number licence; do
        printf '%s %s: %s\n' "$crate" "$number" "$licence"
        for text in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$crate-$number"/LICEN[CS]E* \
            "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$crate-$number"/COPYING*; do
            [ -f "$text" ] || continue
            printf '\n--- %s\n\n' "$(basename "$text")"
            cat "$text"
        done
        printf '\n================================================================\n\n'
    done
}

# Runs a binary of the target.
run() { ${RUNNER:-} "$@"; }

# The commands that have a manual page, and the commands of a command, such as fleet-verify.
commands() {
    for command in $("$@" man | listed); do
        echo "$command"
        "$@" man "$command" | listed
    done
}

# The commands that a manual page lists.
listed() { sed -n 's/^migrate\\-\(.*\)(1)$/\1/p' | sed 's/\\//g' | grep -v 'help$' || true; }

# The files of both packages below a folder, as they are installed.
files() {
    root=$1 binary=$2
    install -D -m 755 "$binary" "$root/usr/bin/migrate"
    for shell in bash zsh fish; do
        run "$binary" completions "$shell" >"$work/completions.$shell"
    done
    install -D -m 644 "$work/completions.bash" "$root/usr/share/bash-completion/completions/migrate"
    install -D -m 644 "$work/completions.zsh" "$root/usr/share/zsh/vendor-completions/_migrate"
    install -D -m 644 "$work/completions.fish" "$root/usr/share/fish/vendor_completions.d/migrate.fish"
    mkdir -p "$root/usr/share/man/man1" "$root/usr/share/doc/migrate"
    run "$binary" man | gzip -9n >"$root/usr/share/man/man1/migrate.1.gz"
    for command in $(commands run "$binary"); do
        run "$binary" man "$command" | gzip -9n >"$root/usr/share/man/man1/migrate-$command.1.gz"
    done
    install -m 644 README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE "$root/usr/share/doc/migrate/"
    cat LICENSE-MIT LICENSE-APACHE >"$root/usr/share/doc/migrate/copyright"
    licences | gzip -9n >"$root/usr/share/doc/migrate/THIRD-PARTY-LICENSES.gz"
    bill >"$root/usr/share/doc/migrate/sbom.spdx"
}

tarball() {
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$work" -c "$name" | gzip -9n >"$out/$name.tar.gz"
}

debian() {
    command -v dpkg-deb >/dev/null || { echo "no dpkg-deb: no Debian package is made" >&2; return; }
    case $target in
        x86_64-*) architecture=amd64 ;;
        aarch64-*) architecture=arm64 ;;
        *) fail "no Debian name is known for $target" ;;
    esac
    mkdir -p "$work/deb/DEBIAN"
    cp -a "$work/$name/usr" "$work/deb/usr"
    cat >"$work/deb/DEBIAN/control" <<CONTROL
Package: migrate
Version: $version
Architecture: $architecture
Maintainer: the maintainers of migrate <noreply@localhost>
Section: database
Priority: optional
Installed-Size: $(du -sk "$work/deb/usr" | cut -f1)
Suggests: postgresql
Description: move a SQLite database into a multi-user PostgreSQL, once, and prove it
 Converts every row before the first write, loads them so that the same command
 resumes after any stop, reads the target back and compares it.
CONTROL
    find "$work/deb" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group -Zgzip --build "$work/deb" "$out/migrate_${version}_$architecture.deb" >&2
}

# Runs a command as the user who may start a server.
as() { setpriv --reuid postgres --regid postgres --clear-groups -- "$@"; }

# Moves a dump from a root folder into a server outside of it, whose socket is in that folder: every command of a migration.
migration() {
    bin=$(pg_config --bindir 2>/dev/null) && [ -x "$bin/initdb" ] || { echo "no PostgreSQL: no rows were moved" >&2; return; }
    data=$work/server
    install -d -o postgres "$data" "$1/socket" && chmod 755 "$work"
    (cd / && as "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C >/dev/null)
    (cd / && as "$bin/pg_ctl" -D "$data" -l "$data/log" -w -o "-c listen_addresses= -k $1/socket" start >/dev/null)
    psql -qX -h "$1/socket" -U postgres -d postgres -v ON_ERROR_STOP=1 \
        -c 'CREATE TABLE notes (id int PRIMARY KEY, title text NOT NULL, written timestamptz NOT NULL)'
    cat >"$1/notes.sql" <<DUMP
CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT, written TEXT);
INSERT INTO notes VALUES (1, 'Milk', '2024-07-01 12:00:00'), (2, 'Ideas', '2024-12-01 12:00:00');
DUMP
    printf 'format = 1\nname = "notes"\n[source]\npath = "notes.sql"\nzone = "Europe/Berlin"\n[load.notes]\n' >"$1/notes.toml"
    url='postgresql://postgres@/postgres?host=/socket'
    for step in "--dry-run" "--yes" "verify" "status" "rollback --yes"; do
        # A dump is read into a private database; the folder has no /tmp for it.
        # shellcheck disable=SC2086  # a command and its flag
        env -i TMPDIR=/ /usr/sbin/chroot "$1" $within $step -m /notes.toml -t "$url" || fail "in an empty root folder: migrate $step ended with $?"
    done
}

# Runs the binary of a package where nothing but the binary is.
check() {
    package=$(ls "$1"/migrate-*.tar.gz | head -n 1)
    (cd "$1" && sha256sum -c SHA256SUMS)
    root=$work/root
    mkdir -p "$root"
    tar -xzf "$package" -C "$work"
    cp "$work"/migrate-*/usr/bin/migrate "$root/migrate"
    ! readelf -lW "$root/migrate" | grep -q INTERP || fail "the binary needs a dynamic loader"
    [ "$(id -u)" = 0 ] || fail "only root may run a program in another root folder"
    within=/migrate
    if [ -n "${RUNNER:-}" ]; then
        cp "$(command -v "$RUNNER")" "$root/runner"
        within="/runner /migrate"
    fi
    # shellcheck disable=SC2086  # a runner and the binary
    chroot "$root" $within --version
    # shellcheck disable=SC2086
    chroot "$root" $within guide cutover | head -n 1
    printf 'format = 1\nname = "x"\n[source]\npath = "missing.db"\n[load.t]\n' >"$root/mapping.toml"
    code=0
    # shellcheck disable=SC2086
    chroot "$root" $within -m /mapping.toml --dry-run || code=$?
    [ "$code" = 3 ] || fail "a missing source ended with $code, not with 3"
    migration "$root"
    if ls "$1"/*.deb >/dev/null 2>&1; then
        dpkg-deb -x "$1"/*.deb "$work/installed"
        cmp "$work/installed/usr/bin/migrate" "$root/migrate"
        dpkg-deb -c "$1"/*.deb | awk '{ print $NF }' | grep -c 'man1/migrate' | xargs printf '%s manual pages\n'
    fi
}

work=$(mktemp -d)
finish() {
    [ ! -f "$work/server/postmaster.pid" ] || as "$bin/pg_ctl" -D "$work/server" -m immediate stop >/dev/null
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
case ${1:-} in
    --check)
        check "${2:?a folder}"
        exit
        ;;
    --twice)
        build "$work/one" && build "$work/two"
        cmp "$work/one/$target/lean/migrate" "$work/two/$target/lean/migrate"
        sha256sum "$work/one/$target/lean/migrate"
        exit
        ;;
esac
[ -z "$(git status --porcelain)" ] || fail "the clone has changes: commit them first, so that the version names what is built"
out=$(realpath -m "${1:-target/packages}")
rm -rf "$out"
mkdir -p "$out"
build "${CARGO_TARGET_DIR:-target}"
files "$work/$name" "${CARGO_TARGET_DIR:-target}/$target/lean/migrate"
tarball
debian
(cd "$out" && sha256sum migrate* >SHA256SUMS && cat SHA256SUMS)
