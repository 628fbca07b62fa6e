# The program for docker-compose.yml: every role and the workers are one binary. Add your handlers' programs on top:
#   FROM clawpool
#   COPY --from=... /handlers /handlers

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
# Dependencies first, in a layer of their own: they change rarely and take longest.
COPY Cargo.toml Cargo.lock ./
COPY load-tests/Cargo.toml load-tests/
RUN mkdir -p src workers tests/it load-tests/src \
    && echo 'fn main() {}' | tee src/main.rs workers/main.rs tests/it/main.rs load-tests/src/main.rs >/dev/null \
    && touch src/lib.rs \
    && cargo build --release --locked --features docker --bin clawpool
COPY config config
COPY workers workers
COPY src src
# The placeholders' build is older than these files only when cargo sees them as new.
RUN touch src/lib.rs src/main.rs && cargo build --release --locked --features docker --bin clawpool

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
