using System.Collections;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;

namespace Postrider.EndToEnd.Api;

/// <summary>The whole server in this process, on a port and in a data folder of its own: real Kestrel, real SQLite, mail
/// captured.</summary>
public sealed class TestServer : IAsyncDisposable
{
    public const string Key = "end-to-end-key-of-the-first-tenant";

    readonly string _folder;

    TestServer(WebApplication app, string folder)
    {
        (App, _folder) = (app, folder);
        Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        Client = NewClient(Key);
        Stranger = NewClient(null);
    }

    public WebApplication App { get; }

    /// <summary>Where it keeps its data.</summary>
    public string Folder => _folder;
    public Uri Address { get; }

    /// <summary>With all scopes of the first tenant.</summary>
    public HttpClient Client { get; }

    /// <summary>Without any credential.</summary>
    public HttpClient Stranger { get; }
    public IServiceProvider Services => App.Services;

    /// <param name="settings">Beside the defaults of tests: variables without <c>POSTRIDER_</c>.</param>
    public static Task<TestServer> StartAsync(params (string Name, string Value)[] settings) => StartAsync(null, settings);

    public static async Task<TestServer> StartAsync(Action<IServiceCollection>? change, params (string Name, string Value)[] settings)
    {
        var folder = Directory.CreateTempSubdirectory("postrider-").FullName;
        var variables = new Hashtable
        {
            ["POSTRIDER_ENVIRONMENT"] = "Development",
            ["POSTRIDER_DATA"] = folder,
            ["POSTRIDER_URLS"] = "http://127.0.0.1:0",
            ["POSTRIDER_SMTP"] = "off",
            ["POSTRIDER_API_KEY"] = Key,
            // Tests run where disks may be small.
            ["POSTRIDER_STORAGE__MIN_FREE_BYTES"] = "1000000",
            ["POSTRIDER_STORAGE__BALLAST_BYTES"] = "0",
            // Tests of several tenants are seldom about their senders.
            ["POSTRIDER_REQUIRE_VERIFIED_SENDERS"] = "None",
        };
        foreach (var (name, value) in settings)
            variables[$"POSTRIDER_{name}"] = value;
        var configuration = LoadedConfiguration.Load([], variables);
        if (configuration.Faults.Count > 0)
            throw new InvalidOperationException(string.Join("; ", configuration.Faults));
        var app = await ServerBuilder.BuildAsync(configuration, change);
        await app.StartAsync();
        return new TestServer(app, folder);
    }

    public HttpClient NewClient(string? key)
    {
        var client = new HttpClient { BaseAddress = Address };
        if (key is not null)
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    /// <summary>A client of any tenant with these scopes.</summary>
    public async Task<HttpClient> NewClientAsync(TenantId tenant, Scopes scopes, DateTimeOffset? expiresAt = null) =>
        NewClient((await NewKeyAsync(tenant, scopes, expiresAt)).Secret);

    public async Task<NewApiKey> NewKeyAsync(TenantId tenant, Scopes scopes, DateTimeOffset? expiresAt = null)
    {
        var by = new Principal(tenant, "test", Scopes.All, null, IsToken: false);
        var made = await Services.GetRequiredService<ApiKeys>()
            .MakeAsync(by, new KeyRequest("test", KeyKind.Bearer, scopes, expiresAt), CancellationToken.None);
        return made.Key!;
    }

    /// <summary>The message as soon as it is what is asked for.</summary>
    public Task<JsonNode> GetEmailAsync(string id, Func<JsonNode, bool> until) => GetAsync($"/emails/{id}", until);

    /// <summary>The answer as soon as it is what is asked for.</summary>
    public Task<JsonNode> GetAsync(string path, Func<JsonNode, bool> until) =>
        Eventually.GetAsync(async () => (await Client.GetFromJsonAsync<JsonNode>(path))!, until);

    public static StringContent Json(string json) => new(json, Encoding.UTF8, "application/json");

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Stranger.Dispose();
        await App.StopAsync();
        await App.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>One server for all tests of a class.</summary>
public sealed class SharedServer : Xunit.IAsyncLifetime
{
    TestServer? _server;

    public TestServer Server => _server!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();
    public ValueTask DisposeAsync() => _server!.DisposeAsync();
}
