# syntax=docker/dockerfile:1
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /source
COPY . .
RUN dotnet publish src/Postrider -c Release -o /app

FROM mcr.microsoft.com/dotnet/aspnet:10.0
COPY --from=build /app /app
# SQLite, keys and certificates, where there is no PostgreSQL.
RUN mkdir /data && chown $APP_UID /data
ENV POSTRIDER_DATA=/data POSTRIDER_URLS=http://0.0.0.0:8025
VOLUME /data
USER $APP_UID
EXPOSE 8025 1025
ENTRYPOINT ["/app/postrider"]
