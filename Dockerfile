# syntax=docker/dockerfile:1
# Silo and console in one image: the silo starts, and the console is there as pixelcnn. --build-arg TORCH=cuda makes the image for GPUs.
FROM mcr.microsoft.com/dotnet/sdk:10.0.401-noble AS build
ARG TORCH=cpu
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/root/.nuget/packages \
    dotnet publish client -c Release -o /app -p:TorchCuda=$([ "$TORCH" = cuda ] && echo true || echo false)

# What libtorch and SkiaSharp need beside themselves (libstdc++, libgcc) is part of the base.
FROM mcr.microsoft.com/dotnet/aspnet:10.0.12-noble
COPY --from=build /app /app
RUN ln -s /app/PixelCnnCluster.Client /usr/local/bin/pixelcnn
# Large pages for tensors: steps on the CPU are faster.
ENV GLIBC_TUNABLES=glibc.malloc.hugetlb=1
USER $APP_UID
STOPSIGNAL SIGTERM
ENTRYPOINT ["dotnet", "/app/silo/PixelCnnCluster.Silo.dll"]
