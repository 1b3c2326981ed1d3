# ptde with Google Research Football's real engine.
#
#   docker build -t ptde .
#   docker run --rm -v "$PWD/runs:/work/runs" ptde run --env football --map academy_3_vs_1_with_keeper --steps 20000
#
# The engine is compiled in the first stage, some ten minutes of one core, with what docs/how-to/football.md names.

FROM python:3.11-slim-bookworm AS engine
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      build-essential cmake libgl1-mesa-dev libsdl2-dev libsdl2-image-dev libsdl2-ttf-dev libsdl2-gfx-dev \
      libboost-python-dev libboost-thread-dev libboost-filesystem-dev libboost-system-dev \
 && rm -rf /var/lib/apt/lists/*
RUN python -m pip install --no-cache-dir setuptools wheel psutil six \
 && python -m pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheels gfootball==2.10.2

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      libgl1 libegl1 libglib2.0-0 libsdl2-2.0-0 libsdl2-image-2.0-0 libsdl2-ttf-2.0-0 libsdl2-gfx-1.0-0 \
      libboost-python1.74.0 libboost-thread1.74.0 libboost-filesystem1.74.0 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=engine /wheels /wheels
COPY . /source
# torch's build without CUDA is a tenth as large; leave the extra index out to have the one for a GPU.
RUN python -m pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
      /wheels/*.whl '/source[football]' \
 && rm -rf /source /wheels
WORKDIR /work
RUN ptde doctor --env football
ENTRYPOINT ["ptde"]
CMD ["--help"]
