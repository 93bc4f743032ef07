# aca in a container.
#
#   docker build --tag aca .
#   docker run --rm aca                                                             the quickstart
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/workspace" aca --task-file tasks.md
#
# No BuildKit is needed.

FROM python:3.12-slim AS build
WORKDIR /src
RUN python3 -m venv --without-pip /opt/aca
# What aca depends on changes seldom and takes long: it is a layer of its own, made with an empty package.
COPY pyproject.toml ./
RUN mkdir aca && echo '__version__ = "0"' > aca/__init__.py && touch README.md LICENSE \
    && pip --python /opt/aca/bin/python install --no-cache-dir --quiet .
COPY README.md LICENSE ./
COPY aca ./aca
RUN pip --python /opt/aca/bin/python install --no-cache-dir --quiet --no-deps --force-reinstall .

FROM python:3.12-slim
RUN apt-get update --quiet --quiet \
    && DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends ca-certificates git \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
# Agents run what a model wrote: not as root. Task directories are often mounted from a machine whose only user
# has this id, too.
RUN useradd --uid 1000 --create-home --shell /bin/bash aca \
    && install --directory --owner=aca --group=aca /workspace
COPY task_examples /usr/share/aca/task_examples
COPY --from=build /opt/aca /opt/aca
# Only the command is put on the PATH: the python3 that tasks find is the image's, without what aca depends on.
RUN ln -s /opt/aca/bin/aca /usr/local/bin/aca
USER aca
WORKDIR /workspace
ENTRYPOINT ["aca"]
CMD ["--task-file", "/usr/share/aca/task_examples/quickstart.md"]
