# syntax=docker/dockerfile:1

# The operator's image: one program, which is kubectl's plugin by its second name, and a user without rights. docs/contributing/release.md says how it is built for two architectures, why it is linked
# as it is, and how to check a signature; `cargo test --test image` runs the program in a folder that holds what the last stage holds.
#
# Both bases are of one Debian, so that the program meets the glibc that it was linked against. For a release pin them by digest too, behind
# the tag (`…:nonroot@sha256:…`; `make release-check TAG=…` asks for it). This prints a digest that is good for all architectures:
#   docker buildx imagetools inspect gcr.io/distroless/cc-debian13:nonroot --format '{{.Manifest.Digest}}'
ARG RUST=docker.io/library/rust:1.95.0-slim-trixie
ARG BASE=gcr.io/distroless/cc-debian13:nonroot

# The compiler runs on the architecture of the machine and makes a program of the one that is asked for: emulated it would take an hour.
FROM --platform=$BUILDPLATFORM ${RUST} AS build
ARG TARGETARCH
WORKDIR /build
ENV CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TERM_COLOR=never \
    CARGO_NET_RETRY=5
RUN case "$TARGETARCH" in \
      amd64) cpu=x86_64 ;; \
      arm64) cpu=aarch64 ;; \
      *) echo "there is no build for '$TARGETARCH'" >&2; exit 1 ;; \
    esac \
    && echo "$cpu-unknown-linux-gnu" > triple \
    && rustup target add "$(cat triple)" \
    && if [ "$(uname -m)" != "$cpu" ]; then \
         apt-get update \
         && apt-get install -y --no-install-recommends "gcc-$(echo "$cpu" | tr _ -)-linux-gnu" "libc6-dev-$TARGETARCH-cross" \
         && rm -rf /var/lib/apt/lists/*; \
       fi

# Builds as cargo does, and writes into the program which crates it was made of. Nobody can tell from a plain program, so that a scanner, and
# with it the image's list of contents, would name the packages of the base and nothing else.
RUN cargo install --locked cargo-auditable@0.7.7

# A layer of nothing but dependencies, good until a manifest changes. `--locked` wants the manifest of every member of the workspace, and
# a manifest wants the targets that it names: files that stand in for them are enough.
COPY Cargo.toml Cargo.lock ./
COPY crates/api/Cargo.toml crates/api/
COPY crates/core/Cargo.toml crates/core/
COPY crates/text/Cargo.toml crates/text/
COPY crates/unkey/Cargo.toml crates/unkey/
COPY tests/support/controlplane/Cargo.toml tests/support/controlplane/
COPY tests/support/demo/Cargo.toml tests/support/demo/
COPY tests/support/emulator/Cargo.toml tests/support/emulator/
COPY tests/support/middlebox/Cargo.toml tests/support/middlebox/
COPY tests/support/nodelet/Cargo.toml tests/support/nodelet/
COPY tests/support/proxy/Cargo.toml tests/support/proxy/
COPY tests/support/webhook/Cargo.toml tests/support/webhook/
RUN for folder in src $(printf '%s/src ' crates/* tests/support/*) $(sed -n '/^\[\[bench\]\]/{n;s|^name = "\(.*\)"$|benches/\1|p}' Cargo.toml); do \
      mkdir -p "$folder" \
      && echo '//! Stands in for what is compiled later.' > "$folder/lib.rs" \
      && printf '%s\n' '//! The same.' 'fn main() {}' > "$folder/main.rs" \
      || exit 1; \
    done \
    && cargo auditable build --release --locked --target "$(cat triple)" --bin unkey-operator

COPY crates crates
COPY src src
# cargo goes by time, and what was checked out may be older than what stood in for it.
RUN touch crates/*/src/lib.rs src/lib.rs src/main.rs \
    && cargo auditable build --release --locked --target "$(cat triple)" --bin unkey-operator \
    && install -D -m 0755 "target/$(cat triple)/release/unkey-operator" /programs/unkey-operator \
    && ln -s unkey-operator /programs/kubectl-unkey

# The program alone, for the archives of a release: docker buildx build --target binary --output out .
FROM scratch AS binary
COPY --from=build /programs/unkey-operator /unkey-operator

# What runs. Of the base it needs the loader, libc, libm and libgcc_s, and the CA certificates, against which it checks Unkey's.
FROM ${BASE}
ARG VERSION=unreleased
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title=unkey-operator \
      org.opencontainers.image.description="Keeps Unkey identities equal to Identity resources in a Kubernetes cluster" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.documentation=README.md \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.source=${SOURCE}
# The folder and not each file: a link that is copied by itself becomes a second program.
COPY --from=build /programs/ /usr/local/bin/
# 2 MiB less (docs/operations/performance.md).
ENV MALLOC_ARENA_MAX=1
WORKDIR /
# By number: the kubelet can tell that it is not root only then.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/unkey-operator"]
# The chart's arguments, which begin with `run` too, take the place of this.
CMD ["run"]
