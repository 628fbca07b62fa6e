# The program for docker-compose.yml: every role and the workers are one binary. Add your handlers' programs on top:
#   FROM clawpool
#   COPY --from=... /handlers /handlers

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
# Dependencies first, in a layer of their own: they change rarely and take longest.
COPY Cargo.toml Cargo.lock ./
COPY load-tests/Cargo.toml load-tests/
COPY workers/Cargo.toml workers/
COPY src/core/Cargo.toml src/core/
COPY src/backends/Cargo.toml src/backends/
COPY src/engine/Cargo.toml src/engine/
COPY src/server/Cargo.toml src/server/
COPY src/program/Cargo.toml src/program/
RUN mkdir -p workers/handlers tests/it tests/campaign benches/task_path load-tests/src \
    && for main in src/program workers tests/it tests/campaign benches/task_path load-tests/src; do \
        echo 'fn main() {}' >$main/main.rs; done \
    && for crate in core backends engine server program; do touch src/$crate/lib.rs; done \
    && touch src/lib.rs workers/handlers/mod.rs \
    && cargo build --release --locked -p clawpool-program --features docker,otlp --bin clawpool
COPY config config
COPY workers workers
COPY src src
# The placeholders' build is older than these files only when cargo sees them as new.
RUN find src workers -name '*.rs' -exec touch {} + \
    && cargo build --release --locked -p clawpool-program --features docker,otlp --bin clawpool

FROM debian:bookworm-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin clawpool
COPY --from=build /build/target/release/clawpool /usr/local/bin/clawpool
ENV CLAWPOOL_CONFIG=/etc/clawpool/clawpool.toml
USER 10001:10001
# SIGTERM drains: give it longer than worker.grace.
STOPSIGNAL SIGTERM
EXPOSE 7070
HEALTHCHECK --interval=5s --timeout=5s --retries=12 CMD ["clawpool", "health"]
CMD ["clawpool", "dispatcher"]
