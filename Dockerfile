# aca in a container.
#
#   docker build --tag aca .
#   docker run --rm aca                                                             the quickstart
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/workspace" aca --task-file tasks.md
#
# BuildKit is not needed. What changes often comes last, so that a new build after a change of aca is quick and small.

FROM python:3.12-slim

RUN apt-get update --quiet --quiet \
    && DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends ca-certificates git \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

# Agents run what a model wrote: not as root. A mounted directory often belongs to the user with this id.
RUN useradd --uid 1000 --create-home --shell /bin/bash aca \
    && install --directory --owner=aca --group=aca /workspace

# In an environment of its own: the python3 that tasks find is the image's, without what aca depends on.
WORKDIR /usr/src/aca
COPY pyproject.toml ./
# What aca depends on, by means of an empty package.
RUN mkdir aca && echo '__version__ = "0"' > aca/__init__.py && touch README.md LICENSE \
    && python3 -m venv --without-pip /opt/aca \
    && pip --python /opt/aca/bin/python install --no-cache-dir --quiet .
COPY README.md LICENSE ./
COPY aca ./aca
RUN pip --python /opt/aca/bin/python install --no-cache-dir --quiet --no-deps . \
    && ln -s /opt/aca/bin/aca /usr/local/bin/aca
COPY task_examples /usr/share/aca/task_examples

USER aca
WORKDIR /workspace
ENTRYPOINT ["aca"]
CMD ["--task-file", "/usr/share/aca/task_examples/quickstart.md"]
