using Microsoft.Extensions.DependencyInjection;
using Postrider.EndToEnd.Api;
using Postrider.Hosting;
using Xunit;

namespace Postrider.EndToEnd.Smtp;

/// <summary>A server with submission in the clear and over TLS, whose mail stays in the inbox.</summary>
public sealed class SmtpServerFixture : IAsyncLifetime
{
    TestServer? _server;

    public TestServer Server => _server!;
    public int Port { get; private set; }
    public int TlsPort { get; private set; }

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync(("SMTP", "127.0.0.1:0 smtps://127.0.0.1:0"));
        var addresses = _server.Services.GetRequiredService<SmtpListener>().Addresses;
        (Port, TlsPort) = (new Uri(addresses[0]).Port, new Uri(addresses[1]).Port);
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    /// <summary>The mails that the inbox has for an address, each as the octets that were sent on, as soon as there is one.</summary>
    public async Task<string[]> ArrivedAsync(string recipient)
    {
        var inbox = await Server.GetAsync(
            $"/inbox?recipient={Uri.EscapeDataString(recipient)}", answer => answer["data"]!.AsArray().Count > 0);
        return await Task.WhenAll(inbox["data"]!.AsArray().Select(mail => Server.Client.GetStringAsync($"/inbox/{mail!["id"]}.eml")));
    }
}
