using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postrider.EndToEnd.Api;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Storage.Postgres;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>The server on PostgreSQL: several processes, one house.</summary>
public sealed class PostgresHostingTests
{
    const string Mail = """{"from":"shop@example.com","to":"ann@example.org","subject":"Hello","text":"Hi"}""";

    static Task<TestServer> StartAsync(string database, params (string, string)[] settings) =>
        TestServer.StartAsync([("STORE", PostgresCluster.Shared.Dsn(database)), .. settings]);

    [Fact]
    public async Task What_one_node_takes_in_another_one_sends_and_both_show()
    {
        var database = PostgresCluster.Shared.Create();
        await using var front = await StartAsync(database, ("ROLES", "api"), ("STORAGE__NODE_NAME", "front"));
        await using var back = await StartAsync(database, ("ROLES", "api,worker"), ("STORAGE__NODE_NAME", "back"));

        using var accepted = await front.Client.PostAsync("/emails", TestServer.Json(Mail));
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        var id = (string)(await accepted.Content.ReadFromJsonAsync<JsonNode>())!["id"]!;

        var email = await front.GetEmailAsync(id, e => (string?)e["status"] == "complete");
        Assert.Equal("back", (string?)email["recipients"]![0]!["worker"]);
        Assert.Single((await back.Client.GetFromJsonAsync<JsonNode>("/inbox"))!["data"]!.AsArray());
        var nodes = (await front.Client.GetFromJsonAsync<JsonNode>("/nodes"))!["data"]!.AsArray();
        Assert.Equal([("front", "api", true), ("back", "api,worker", true)],
            nodes.Select(n => ((string?)n!["name"], (string?)n["roles"], (bool)n["alive"]!)));
    }

    [Fact]
    public async Task A_node_says_where_it_is_what_it_is_and_that_it_lives()
    {
        var before = DateTimeOffset.FromUnixTimeMilliseconds(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
        await using var server = await StartAsync(PostgresCluster.Shared.Create());
        async Task<JsonNode> NodeAsync() => Assert.Single((await server.Client.GetFromJsonAsync<JsonNode>("/nodes"))!["data"]!.AsArray())!;
        static DateTimeOffset At(JsonNode node, string field) => (DateTimeOffset)node[field]!;

        var first = await NodeAsync();
        Assert.Equal((Environment.MachineName, "http://127.0.0.1:0", "all"),
            ((string?)first["host"], (string?)first["address"], (string?)first["roles"]));
        Assert.Matches(@"^\d+\.\d+\.\d+", (string?)first["version"]);
        Assert.InRange(At(first, "started_at"), before, TimeProvider.System.GetUtcNow());
        Assert.InRange(At(first, "last_beat_at"), At(first, "started_at"), TimeProvider.System.GetUtcNow());

        var later = await Eventually.GetAsync(NodeAsync, node => (long)node["beats"]! > (long)first["beats"]!);
        Assert.True(At(later, "last_beat_at") > At(first, "last_beat_at"));
        Assert.Equal(At(first, "started_at"), At(later, "started_at"));
    }

    [Theory]
    [InlineData("http://0.0.0.0:8025", "http://m1:8025")]
    [InlineData("http://*:8025;https://[::]:8443", "http://m1:8025 https://m1:8443")]
    [InlineData("http://10.1.2.3:8025", "http://10.1.2.3:8025")]
    [InlineData("http://[fd00::1]:8025", "http://[fd00::1]:8025")]
    [InlineData("http://localhost:8025", "http://localhost:8025")]
    public void Who_listens_on_every_address_is_reached_by_the_name_of_the_machine(string urls, string expected) =>
        Assert.Equal(expected, ListenAddress.ForOthers(urls, "m1"));

    [Fact]
    public async Task A_start_that_is_refused_leaves_no_node_behind()
    {
        var database = PostgresCluster.Shared.Create();
        static (string, string) Key(byte first) => ("MASTER_KEY", Convert.ToBase64String([first, .. new byte[31]]));
        await using var one = await StartAsync(database, Key(1));

        await Assert.ThrowsAsync<MasterKeyException>(() => StartAsync(database, Key(2)));
        await Assert.ThrowsAsync<MasterKeyException>(() => StartAsync(database));

        Assert.Single((await one.Client.GetFromJsonAsync<JsonNode>("/nodes"))!["data"]!.AsArray());
        await using var two = await StartAsync(database, Key(1));
        Assert.Equal(1, two.Services.GetRequiredService<PostgresStore>().Member.Incarnation.Node);
    }

    [Fact]
    public async Task Any_node_tells_how_the_transports_are_doing_on_all_of_them()
    {
        var database = PostgresCluster.Shared.Create();
        (string, string) transports = ("TRANSPORTS", "relay=sim://one?refuse=1 backup=sim://two");
        await using var front = await StartAsync(database, transports, ("ROLES", "api"), ("STORAGE__NODE_NAME", "front"));
        Task<JsonNode> RelayAsync(Func<JsonNode, bool> until) => Eventually.GetAsync(
            async () => (await front.Client.GetFromJsonAsync<JsonNode>("/transports"))!["data"]![0]!, until);
        JsonNode seen;
        await using (await StartAsync(database, transports, ("ROLES", "api,worker"), ("STORAGE__NODE_NAME", "back")))
        {
            using var accepted = await front.Client.PostAsync("/emails", TestServer.Json(Mail));
            Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
            seen = await RelayAsync(relay => (long)relay["tries"]! > 0 && (int)relay["in_flight"]! == 0);

            Assert.Equal(("back", "refused"), ((string?)seen["last_errors"]![0]!["node"], (string?)seen["last_errors"]![0]!["outcome"]));
            Assert.Equal(1, (long)seen["outcomes"]!["refused"]!);
            Assert.Equal([("front", true, 0), ("back", true, 1)],
                seen["nodes"]!.AsArray().Select(n => ((string?)n!["node"], (bool)n["alive"]!, (long)n["tries"]!)));
        }
        // What it saw last stays to be read.
        seen = await RelayAsync(relay => !(bool)relay["nodes"]![1]!["alive"]!);
        Assert.Equal("back", (string?)seen["last_errors"]![0]!["node"]);

        await using var again = await StartAsync(database, transports, ("ROLES", "api,worker"), ("STORAGE__NODE_NAME", "back"));
        // It begins anew, in the place of what it was; whether it has reported yet is the same.
        await RelayAsync(relay => (long)relay["tries"]! == 0
            && relay["nodes"]!.AsArray().Count(n => (string?)n!["node"] == "back") is 0 or 1
            && relay["nodes"]!.AsArray().All(n => (bool)n!["alive"]!));
    }

    [Fact]
    public async Task Keys_tokens_and_the_master_key_are_those_of_the_house()
    {
        var database = PostgresCluster.Shared.Create();
        await using var one = await StartAsync(database);
        await using var two = await StartAsync(database);
        using var made = await one.Client.PostAsync("/tokens", TestServer.Json("{}"));
        var token = (string)(await made.Content.ReadFromJsonAsync<JsonNode>())!["token"]!;
        using var client = two.NewClient(token);

        Assert.True((bool)(await client.GetFromJsonAsync<JsonNode>("/tokens"))!["valid"]!);
        Assert.NotEqual(
            one.Services.GetRequiredService<PostgresStore>().Member.Incarnation.Node,
            two.Services.GetRequiredService<PostgresStore>().Member.Incarnation.Node);
    }

    [Fact]
    public async Task What_one_node_pauses_adds_or_revokes_the_others_know_within_a_second()
    {
        var second = TimeSpan.FromSeconds(1);
        var database = PostgresCluster.Shared.Create();
        await using var one = await StartAsync(database);
        await using var two = await StartAsync(database);
        Task<JsonNode> SeenAsync(string path, Func<JsonNode, bool> until) =>
            Eventually.GetAsync(async () => (await two.Client.GetFromJsonAsync<JsonNode>(path))!, until, second);

        using var paused = await one.Client.PostAsync("/pause", TestServer.Json("{}"));
        await SeenAsync("/pause", answer => answer["data"]!.AsArray().Count == 1);
        using var resumed = await one.Client.DeleteAsync("/pause");
        await SeenAsync("/pause", answer => answer["data"]!.AsArray().Count == 0);

        using var broken = await one.Client.PostAsync("/transports/capture/drill", TestServer.Json("""{"for":"1m"}"""));
        Assert.Equal(HttpStatusCode.OK, broken.StatusCode);
        await Eventually.HoldsAsync(async () =>
        {
            using var seen = await two.Client.GetAsync("/transports/capture/drill");
            return seen.StatusCode == HttpStatusCode.OK;
        }, second);

        using var added = await one.Client.PostAsync("/domains", TestServer.Json("{\"name\":\"example.com\"}"));
        Assert.Equal(HttpStatusCode.Created, added.StatusCode);
        await SeenAsync("/domains", answer => answer["data"]!.AsArray().Count == 1);
        using var removed = await one.Client.DeleteAsync("/domains/example.com");
        await SeenAsync("/domains", answer => answer["data"]!.AsArray().Count == 0);

        var key = await one.NewKeyAsync(Messages.TenantId.First, Scopes.All);
        using var client = two.NewClient(key.Secret);
        using var before = await client.GetAsync("/emails");
        Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        using var revoked = await one.Client.DeleteAsync($"/keys/{key.Key.Id}");
        await Eventually.HoldsAsync(async () =>
        {
            using var after = await client.GetAsync("/emails");
            return after.StatusCode == HttpStatusCode.Unauthorized;
        }, second);
    }

    [Fact]
    public async Task A_pause_of_one_stream_of_a_tenant_holds_on_all_nodes_and_for_nothing_else()
    {
        var database = PostgresCluster.Shared.Create();
        await using var one = await StartAsync(database);
        await using var two = await StartAsync(database);
        var made = await PostAsync(one.Client, "/tenants", """{"name":"other"}""");
        TestServer[] nodes = [one, two];
        using var paused = await one.Client.PostAsync("/pause", TestServer.Json("""{"stream":"bulk","reason":"wrong template"}"""));
        await Eventually.HoldsAsync(async () => (await two.Client.GetStringAsync("/pause")).Contains("wrong template", StringComparison.Ordinal),
            TimeSpan.FromSeconds(2));

        var bulk = Mail.Replace("{\"from\"", "{\"stream\":\"bulk\",\"from\"", StringComparison.Ordinal);
        List<string> waiting = [];
        foreach (var node in nodes)
        {
            using var other = node.NewClient((string)made["key"]!["key"]!);
            waiting.Add((string)(await PostAsync(node.Client, "/emails", bulk))["id"]!);
            var transactional = (string)(await PostAsync(node.Client, "/emails", Mail))["id"]!;
            var others = (string)(await PostAsync(other, "/emails", bulk))["id"]!;
            await node.GetEmailAsync(transactional, IsComplete);
            await Eventually.GetAsync(async () => (await other.GetFromJsonAsync<JsonNode>($"/emails/{others}"))!, IsComplete);
        }
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System);
        foreach (var id in waiting)
        {
            var recipient = (await one.Client.GetFromJsonAsync<JsonNode>($"/emails/{id}"))!["recipients"]![0]!;
            Assert.Equal(("queued", "paused"), ((string?)recipient["status"], (string?)recipient["waiting_for"]));
        }

        using var resumed = await two.Client.DeleteAsync("/pause?stream=bulk");
        Assert.Equal(HttpStatusCode.OK, resumed.StatusCode);
        foreach (var id in waiting)
            await one.GetEmailAsync(id, IsComplete);
    }

    static bool IsComplete(JsonNode email) => (string?)email["status"] == "complete";

    static async Task<JsonNode> PostAsync(HttpClient client, string path, string body)
    {
        using var answer = await client.PostAsync(path, TestServer.Json(body));
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    [Fact]
    public async Task A_node_that_was_declared_dead_joins_anew_and_goes_on_without_a_restart()
    {
        var database = PostgresCluster.Shared.Create();
        await using var server = await StartAsync(database);
        var store = server.Services.GetRequiredService<PostgresStore>();
        var before = store.Member.Incarnation;
        var since = TimeProvider.System.GetTimestamp();

        await store.WriteAsync(connection =>
        {
            using var command = connection.CreateCommand();
            command.CommandText = "UPDATE nodes SET alive = false, incarnation = incarnation + 1";
            return command.ExecuteNonQuery();
        });
        await Eventually.HoldsAsync(() => store.Member.Incarnation != before);
        Assert.Equal(before.Node, store.Member.Incarnation.Node);

        using var accepted = await server.Client.PostAsync("/emails", TestServer.Json(Mail));
        var id = (string)(await accepted.Content.ReadFromJsonAsync<JsonNode>())!["id"]!;
        var email = await server.GetEmailAsync(id, e => (string?)e["status"] == "complete");
        Assert.Equal(1, (int)email["recipients"]![0]!["tries"]!);
        Assert.True(TimeProvider.System.GetElapsedTime(since) < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task The_session_that_holds_a_nodes_number_is_replaced_when_it_is_lost()
    {
        var database = PostgresCluster.Shared.Create();
        await using var server = await StartAsync(database);
        var store = server.Services.GetRequiredService<PostgresStore>();
        var before = store.Member.Incarnation;
        var beats = (await store.ListNodesAsync(default))[0].Beats;

        PostgresCluster.Shared.Execute($"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");

        await Eventually.HoldsAsync(async () =>
            (await PatientlyAsync(() => store.ListNodesAsync(default)))[0].Beats > beats && Held(database) == 1);
        Assert.Equal(before, store.Member.Incarnation);
    }

    static async Task<T> PatientlyAsync<T>(Func<Task<T>> read)
    {
        while (true)
        {
            try
            {
                return await read();
            }
            catch (StoreUnavailableException)
            {
                // Its connection was cut too.
            }
        }
    }

    /// <summary>Numbers of nodes that are held in a database.</summary>
    static int Held(string database) => PostgresCluster.Shared.Count("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
        + $"AND classid = {0x6A6F} AND database = (SELECT oid FROM pg_database WHERE datname = '{database}')");

    [Fact]
    public async Task On_SQLite_there_is_one_node_and_it_lives()
    {
        await using var server = await TestServer.StartAsync();

        var node = Assert.Single((await server.Client.GetFromJsonAsync<JsonNode>("/nodes"))!["data"]!.AsArray())!;

        Assert.Equal((0, "all", true), ((int)node["id"]!, (string?)node["roles"], (bool)node["alive"]!));
    }

    [Theory]
    [InlineData("postgres://u@host", "the database is missing")]
    [InlineData("mysql://u@host/db", "postgres://user:password@host/database")]
    [InlineData("postgres://postrider:p@ss:w/rd@127.0.0.1:27411/mail", "percent-encoded")]
    public void A_faulty_address_is_a_fault_of_the_configuration(string store, string expected) =>
        Assert.Contains(expected, Stores.Fault(store), StringComparison.Ordinal);

    [Fact]
    public async Task The_schema_is_brought_up_to_date_by_a_command_too()
    {
        var store = PostgresCluster.Shared.Dsn(PostgresCluster.Shared.Create());

        var first = await Stores.MigrateAsync(store, default);
        var second = await Stores.MigrateAsync(store, default);
        var sqlite = await Stores.MigrateAsync("sqlite:x.db", default);

        Assert.Equal((0, true), (first.ExitCode, first.Text.Contains("steps done", StringComparison.Ordinal)));
        Assert.Equal((0, true), (second.ExitCode, second.Text.EndsWith("is up to date.", StringComparison.Ordinal)));
        Assert.Equal(ExitCodes.Refused, sqlite.ExitCode);

        var faulty = await Stores.MigrateAsync("postgres://postrider:p@ss:w/rd@127.0.0.1:27411/mail", default);
        Assert.Equal((ExitCodes.Configuration, true), (faulty.ExitCode, faulty.Text.Contains("percent-encoded", StringComparison.Ordinal)));
    }
}
