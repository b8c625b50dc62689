using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Console;
using Postrider.Api;
using Postrider.Api.Dialects;
using Postrider.Hosting;
using Postrider.Providers;
using Postrider.Providers.Mailgun;
using Postrider.Providers.Postmark;
using Postrider.Providers.SendGrid;
using Postrider.Providers.Ses;

namespace Postrider.Vendors;

/// <summary>What <c>postrider vendors</c> serves.</summary>
/// <param name="Address">Port 0 takes a free one.</param>
/// <param name="Keys">Empty: any key will do.</param>
sealed record VendorServerOptions(IPAddress Address, int Port, IReadOnlyList<string> Keys);

/// <summary>All vendors at once, simulated: each at the root and below its name, with control calls under <c>/vendors</c>. For tests,
/// demonstrations, and anybody's continuous integration: nothing leaves the machine but callbacks that were asked for.</summary>
static class VendorServer
{
    /// <summary>Not started yet.</summary>
    public static WebApplication Build(VendorServerOptions options, TimeProvider clock, Entropy entropy)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "postrider" });
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true).SetMinimumLevel(LogLevel.Warning);
        builder.Logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = new ServerOptions().MaxSendBytes;
            kestrel.Listen(options.Address, options.Port);
        });
        var services = builder.Services;
        services.AddRoutingCore();
        services.AddRequestDecompression();
        services.AddSingleton(clock);
        services.AddSingleton(entropy);
        services.AddSingleton(new ServerOptions());
        services.AddSingleton<JsonBody>();
        foreach (var dialect in Dialects())
            services.AddSingleton(dialect);
        services.AddSingleton<VendorCallbacks>();
        services.AddSingleton(sp => new VendorTown(
        [
            .. sp.GetServices<IDialect>().Select(dialect => new SimulatedVendor(
                dialect, new VendorKeys(options.Keys), clock, entropy)
            {
                Taken = sp.GetRequiredService<VendorCallbacks>().Tell,
            }),
        ]));
        var app = builder.Build();
        app.UseMiddleware<LastResort>();
        app.UseMiddleware<DialectPaths>();
        app.MapWhen(context => context.Features.Get<DialectCall>() is not null, branch =>
        {
            branch.UseRequestDecompression();
            branch.Run(ServeAsync);
        });
        app.UseRouting();
        app.MapVendorControl();
        return app;
    }

    public static IReadOnlyList<IDialect> Dialects() =>
        [new SesDialect(), new SendGridDialect(), new MailgunDialect(), new PostmarkDialect(), new ResendDialect()];

    static async Task ServeAsync(HttpContext context)
    {
        var (dialect, path) = context.Features.GetRequiredFeature<DialectCall>();
        var vendor = context.RequestServices.GetRequiredService<VendorTown>().Find(dialect.Vendor)!;
        var reaction = await context.RequestServices.GetRequiredService<JsonBody>().ReadBytesAsync(
            context, body => vendor.TakeAsync(InboundCalls.Of(context, path) with { Body = body }, context.RequestAborted),
            problem => new VendorReaction(dialect.Refuse(problem)));
        if (reaction.Answer is not { } answer)
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        else if (reaction.IsCut)
            context.Abort();
        else
            await answer.WriteAsync(context);
    }
}

/// <summary>The vendors that one server simulates.</summary>
sealed record VendorTown(IReadOnlyList<SimulatedVendor> All)
{
    /// <summary>Null when there is no vendor of this name.</summary>
    public SimulatedVendor? Find(string name) => All.FirstOrDefault(vendor => vendor.Name == name);
}
