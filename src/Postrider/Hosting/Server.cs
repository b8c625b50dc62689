using System.Collections;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Postrider.Delivery;
using Postrider.Storage;
using Postrider.Tenants;

namespace Postrider.Hosting;

/// <summary>The command <c>serve</c>: configuration in, a running process, an exit code out.</summary>
public static class Server
{
    /// <param name="args">Settings, as <c>--urls http://127.0.0.1:9000</c>.</param>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, IDictionary variables, TextWriter output, TextWriter errors)
    {
        var configuration = LoadedConfiguration.Load(args, variables);
        var isJson = configuration.Get<PostriderOptions>().Log == LogForm.Json;
        foreach (var warning in configuration.Warnings)
            await errors.WriteLineAsync(isJson ? JsonLog.Line(LogLevel.Warning, "Setting", warning) : $"warning: {warning}");
        foreach (var fault in configuration.Faults)
            await errors.WriteLineAsync(isJson ? JsonLog.Line(LogLevel.Critical, "Setting", fault) : fault);
        if (configuration.Faults.Count > 0)
            return ExitCodes.Configuration;
        try
        {
            return await ServeAsync(configuration, output);
        }
        catch (Exception e) when (Explain(e) is { } explained)
        {
            await errors.WriteLineAsync(isJson ? JsonLog.Line(LogLevel.Critical, "Stopped", explained.Text) : explained.Text);
            return explained.ExitCode;
        }
    }

    static async Task<int> ServeAsync(LoadedConfiguration configuration, TextWriter output)
    {
        LoadedAhead.Load();
        await using var app = await ServerBuilder.BuildAsync(configuration);
        try
        {
            await app.StartAsync();
        }
        catch
        {
            // The key is stored already and is shown only once: now or never.
            if (app.Services.GetRequiredService<FirstKey>().Text is { } key)
                await output.WriteLineAsync(Banner.KeyAlone(key, configuration));
            await app.StopAsync(); // what has begun ends in order, or it would complain of storage that is gone
            throw;
        }
        await output.WriteAsync(Banner.Of(app, configuration));
        await output.FlushAsync();
        await app.WaitForShutdownAsync();
        return ExitCodeOf(app.Services);
    }

    /// <summary>The host stops for a background service that failed as if it had been asked to; who started us must hear that it was
    /// not.</summary>
    internal static int ExitCodeOf(IServiceProvider services)
    {
        var reason = services.GetRequiredService<StopReason>();
        if (services.GetServices<IHostedService>().OfType<BackgroundService>().Any(service => service.ExecuteTask is { IsFaulted: true }))
            reason.Set(ExitCodes.Internal);
        return reason.ExitCode;
    }

    /// <summary>What an operator can do something about; null for anything else, which is a bug and shown as one.</summary>
    static (string Text, int ExitCode)? Explain(Exception e) => e switch
    {
        StoreInUseException => (e.Message, ExitCodes.Refused),
        StoreUnusableException => (e.Message, ExitCodes.Storage),
        Messages.StoreUnavailableException => (e.Message, ExitCodes.Storage),
        CertificateException or MasterKeyException or BootstrapKeyException => (e.Message, ExitCodes.Configuration),
        TransportSetupException setup => (string.Join(Environment.NewLine, setup.Faults), ExitCodes.Configuration),
        ListenException => (e.Message, ExitCodes.Unavailable),
        IOException { InnerException: AddressInUseException } =>
            ($"{e.Message} Give other addresses in POSTRIDER_URLS.", ExitCodes.Unavailable),
        SocketException => ($"An address of POSTRIDER_URLS cannot be listened on: {e.Message}.", ExitCodes.Unavailable),
        UnauthorizedAccessException or IOException => ($"{e.Message} The data folder is set by POSTRIDER_DATA.", ExitCodes.Storage),
        _ => null,
    };
}

/// <summary>Why the process ends, as far as it was not asked to.</summary>
sealed class StopReason
{
    int _exitCode = ExitCodes.Ok;

    public int ExitCode => Volatile.Read(ref _exitCode);

    /// <summary>The first reason counts.</summary>
    public void Set(int exitCode) => Interlocked.CompareExchange(ref _exitCode, exitCode, ExitCodes.Ok);
}
