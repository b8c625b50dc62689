# syntax=docker/dockerfile:1
# The whole program in a chiselled image: no shell, no package manager, not root. Its root file system may be read-only; what it writes is in
# /data (one node on SQLite) and /tmp. scripts/image-root builds the same file system without a container engine.
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY src src
# An advisory of tomorrow must not keep the version of today from being built: its warnings stay warnings here. CI fails on them.
RUN dotnet publish src/Postrider -c Release -r linux-x64 --self-contained -p:AuditWarningsAsErrors=false -o /app && mkdir /data

# "extra": the ICU and time-zone data that schedules and addresses in other scripts need.
FROM mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled-extra
COPY --from=build /app /app
COPY --from=build --chown=1654:1654 /data /data
# In a container the loopback address is nobody's: what is published is for docker -p to say. Diagnostics would want a socket in a folder that can be written.
ENV POSTRIDER_DATA=/data POSTRIDER_URLS=http://0.0.0.0:8025 POSTRIDER_SMTP=0.0.0.0:1025 DOTNET_EnableDiagnostics=0
VOLUME /data
USER 1654:1654
EXPOSE 8025 1025
ENTRYPOINT ["/app/postrider"]
