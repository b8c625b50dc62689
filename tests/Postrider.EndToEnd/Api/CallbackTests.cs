using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Ses;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Callbacks of every vendor through the real server: genuine ones are on the timeline, no other changes anything.</summary>
public sealed class CallbackTests
{
    public static TheoryData<string> All => [.. CallbackVendor.All.Select(v => v.Scheme)];
    public static TheoryData<string> Signing => [.. CallbackVendor.All.Where(v => v.SignsBody).Select(v => v.Scheme)];
    public static TheoryData<string> Expiring => [.. CallbackVendor.All.Where(v => v.Expires).Select(v => v.Scheme)];

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_genuine_callback_delivers_once_however_often_it_comes(string scheme)
    {
        await using var house = await House.StartAsync(scheme);
        var id = await house.SendAsync();

        Assert.Equal(HttpStatusCode.OK, await house.PostAsync(house.Vendor.Delivered(id)));
        Assert.Equal(HttpStatusCode.OK, await house.PostAsync(house.Vendor.Delivered(id)));

        var email = await house.Server.GetEmailAsync(id, e => (string?)e["recipients"]![0]!["status"] == "delivered");
        Assert.Single(email["events"]!.AsArray(), e => (string?)e!["type"] == "delivered" && (string?)e["source"] == scheme);
        Assert.Equal("complete", (string?)email["status"]);
    }

    [Theory]
    [MemberData(nameof(Signing))]
    public async Task One_changed_bit_changes_nothing(string scheme)
    {
        await using var house = await House.StartAsync(scheme);
        var id = await house.SendAsync();
        var callback = house.Vendor.Delivered(id);
        callback.Body[^3] ^= 1;

        var status = await house.PostAsync(callback);

        Assert.True(status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.BadRequest, status.ToString());
        var email = await house.Server.GetEmailAsync(id, _ => true);
        Assert.Equal("sent", (string?)email["recipients"]![0]!["status"]);
        Assert.Empty(email["events"]!.AsArray());
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Without_proof_it_is_refused_and_nothing_is_told(string scheme)
    {
        await using var house = await House.StartAsync(scheme);
        var id = await house.SendAsync();

        using var response = await house.SendCallbackAsync(house.Vendor.WithoutProof(id));

        // 403 would end all further reports of Postmark.
        Assert.Equal(scheme == "ses" ? HttpStatusCode.Forbidden : HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal("sent", (string?)(await house.Server.GetEmailAsync(id, _ => true))["recipients"]![0]!["status"]);
    }

    [Theory]
    [MemberData(nameof(Expiring))]
    public async Task An_old_callback_is_refused(string scheme)
    {
        await using var house = await House.StartAsync(scheme);
        var id = await house.SendAsync();

        var status = await house.PostAsync(house.Vendor.Delivered(id, age: TimeSpan.FromHours(2)));

        Assert.True(status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden, status.ToString());
        Assert.Equal("sent", (string?)(await house.Server.GetEmailAsync(id, _ => true))["recipients"]![0]!["status"]);
    }

    [Fact]
    public async Task A_token_of_Mailgun_is_no_good_for_another_event()
    {
        await using var house = await House.StartAsync("mailgun");
        var (first, second) = (await house.SendAsync(), await house.SendAsync());
        var genuine = house.Vendor.Delivered(first);
        var forged = genuine with
        {
            Body = System.Text.Encoding.UTF8.GetBytes(genuine.Text.Replace(first, second, StringComparison.Ordinal)),
        };

        Assert.Equal(HttpStatusCode.OK, await house.PostAsync(genuine));
        Assert.Equal(HttpStatusCode.Unauthorized, await house.PostAsync(forged));
    }

    [Fact]
    public async Task An_unknown_address_is_no_address()
    {
        await using var house = await House.StartAsync("sendgrid");
        var callback = house.Vendor.Delivered(await house.SendAsync());
        var right = house.Path;
        string[] wrong =
        [
            right[..^1] + (right[^1] == '0' ? '1' : '0'), right.ToUpperInvariant(),
            right.Replace("sendgrid", "mailgun", StringComparison.Ordinal), "/callbacks/sendgrid/x", "/callbacks/none/x",
        ];
        foreach (var path in wrong)
        {
            using var response = await house.SendCallbackAsync(callback, path);
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        }
        using var large = await house.SendCallbackAsync(callback with { Body = new byte[1_000_001] });
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.StatusCode);
    }

    [Fact]
    public async Task A_batch_in_disorder_ends_where_it_should()
    {
        await using var house = await House.StartAsync("sendgrid");
        var (bounced, opened) = (await house.SendAsync(), await house.SendAsync());

        Assert.Equal(HttpStatusCode.OK, await house.PostAsync(CallbackVendor.SendGrid(
            (bounced, "bounce"), (opened, "click"), (bounced, "delivered"), (opened, "delivered"), (bounced, "open"), (opened, "processed"),
            (opened, "new_in_2030"))));

        var first = await house.Server.GetEmailAsync(bounced, e => (string?)e["recipients"]![0]!["status"] == "bounced");
        Assert.Equal(["bounced", "delivered", "opened"], first["events"]!.AsArray().Select(e => (string?)e!["type"]));
        Assert.Equal(("hard", "5.1.1"), ((string?)first["events"]![0]!["bounce"], (string?)first["recipients"]![0]!["enhanced_code"]));
        Assert.Equal("failed", (string?)first["status"]);
        var second = await house.Server.GetEmailAsync(opened, e => (string?)e["recipients"]![0]!["status"] == "delivered");
        Assert.Equal(["clicked", "delivered", "reported"], second["events"]!.AsArray().Select(e => (string?)e!["type"]));
        var stats = (await house.Server.Client.GetFromJsonAsync<JsonNode>("/stats"))!;
        Assert.Equal((0, 1, 1), ((int)stats["sent"]!, (int)stats["delivered"]!, (int)stats["bounced"]!));
    }

    [Fact]
    public async Task What_is_not_ours_is_shown_in_quarantine()
    {
        await using var house = await House.StartAsync("sendgrid");
        await house.PostAsync(CallbackVendor.SendGrid(("not-ours", "delivered"), (MessageId.Create(1, 1, 0).ToString(), "bounce")));

        var page = (await house.Server.Client.GetFromJsonAsync<JsonNode>("/feedback/quarantine?limit=1"))!;

        Assert.Equal(2, (int)page["counts"]!["unmatched"]!);
        Assert.Equal(("unmatched", "sendgrid", "bounced_hard"), ((string?)page["data"]![0]!["reason"], (string?)page["data"]![0]!["source"],
            (string?)page["data"]![0]!["kind"]));
        using var refused = await house.Server.Client.GetAsync("/feedback/quarantine?limit=0");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        using var wrong = await house.Server.Client.GetAsync("/feedback/quarantine?after=x");
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
    }

    // The vendor takes the mail and never says so: the report that it was delivered ends the doubt, and no second try is made.
    [Theory]
    [InlineData("mailgun")]
    [InlineData("sendgrid")]
    public async Task A_report_ends_what_is_unknown_without_another_try(string scheme)
    {
        await using var house = await House.StartAsync(scheme, _ => HttpReply.Cut);
        var id = await house.SubmitAsync();
        await house.Server.GetEmailAsync(id, e => (string?)e["recipients"]![0]!["status"] == "unknown");

        Assert.Equal(HttpStatusCode.OK, await house.PostAsync(house.Vendor.Delivered(id)));

        var email = await house.Server.GetEmailAsync(id, e => (string?)e["recipients"]![0]!["status"] == "delivered");
        Assert.Null((string?)email["recipients"]![0]!["next_attempt_at"]);
        Assert.Single(house.Calls);
    }

    // Faster than the answer to the call that sent it.
    [Fact]
    public async Task A_report_that_overtakes_the_answer_counts()
    {
        var answer = new TaskCompletionSource();
        await using var house = await House.StartAsync("mailgun", reply => reply with { After = answer.Task });
        var id = await house.SubmitAsync();
        await house.Server.GetEmailAsync(id, e => (string?)e["recipients"]![0]!["status"] == "leased" && house.Calls.Count == 1);

        Assert.Equal(HttpStatusCode.OK, await house.PostAsync(house.Vendor.Delivered(id)));
        Assert.Equal("leased", (string?)(await house.Server.GetEmailAsync(id, _ => true))["recipients"]![0]!["status"]);
        answer.SetResult();

        await house.Server.GetEmailAsync(id, e => (string?)e["recipients"]![0]!["status"] == "delivered");
        Assert.Single(house.Calls);
    }

    [Fact]
    public async Task While_the_store_is_away_the_vendor_is_asked_to_repeat()
    {
        await using var house = await House.StartAsync("mailgun", change: services => services.Replace(
            ServiceDescriptor.Singleton<IFeedbackStore, AwayStore>()));
        var id = await house.SendAsync();

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await house.PostAsync(house.Vendor.Delivered(id)));
    }

    [Fact]
    public async Task A_topic_is_confirmed_only_where_that_was_asked_for()
    {
        await using var house = await House.StartAsync("ses");

        // Confirming would need Amazon: that this is answered at once shows that nobody was asked.
        Assert.Equal(HttpStatusCode.OK, await house.PostAsync(CallbackVendor.Confirmation()));
        var amazon = new SnsCertificates(TimeProvider.System);
        foreach (var elsewhere in new[] { "https://sns.x.amazonaws.com.evil.test/", "http://sns.eu-west-1.amazonaws.com/" })
            await Assert.ThrowsAsync<ArgumentException>(async () => await amazon.VisitAsync(new Uri(elsewhere), default));
    }

    sealed class AwayStore : IFeedbackStore
    {
        static readonly StoreUnavailableException Away = new("away");

        public Task<IReadOnlyList<FeedbackResult>> ApplyAsync(
            IReadOnlyList<FeedbackReport> reports, DateTimeOffset now, CancellationToken ct) =>
            throw Away;

        public Task QuarantineAsync(
            IReadOnlyList<FeedbackReport> reports, QuarantineReason reason, DateTimeOffset now, CancellationToken ct) => throw Away;
        public Task<MessageId?> FindAsync(
            TenantId? owner, string transport, string providerId, string address, DateTimeOffset at, CancellationToken ct) =>
            throw Away;

        public Task<IReadOnlyList<FeedbackReport>> WaitingAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
            throw Away;

        public Task<IReadOnlyList<DoubtfulEnvelope>> DoubtfulAsync(DateTimeOffset dueBefore, int limit, CancellationToken ct) =>
            throw Away;

        public Task<QuarantinePage> ListQuarantineAsync(long? before, int limit, CancellationToken ct) =>
            throw Away;
    }

    /// <summary>A server with one transport, whose provider is a stub.</summary>
    sealed class House : IAsyncDisposable
    {
        readonly HttpStub _stub;

        House(CallbackVendor vendor, HttpStub stub, TestServer server, string path) =>
            (Vendor, _stub, Server, Path) = (vendor, stub, server, path);

        public CallbackVendor Vendor { get; }
        public TestServer Server { get; }

        /// <summary>Of the transport's callback.</summary>
        public string Path { get; }
        public IReadOnlyList<HttpCall> Calls => _stub.Calls;

        public static async Task<House> StartAsync(
            string scheme, Func<HttpReply, HttpReply>? answer = null, Action<IServiceCollection>? change = null)
        {
            var vendor = CallbackVendor.All.Single(v => v.Scheme == scheme);
            var stub = HttpStub.Start(call => (answer ?? (reply => reply))(vendor.Taken(call)));
            var server = await TestServer.StartAsync(
                services =>
                {
                    services.AddSingleton<IFeedbackReader>(new SesFeedback((_, _) => ValueTask.FromResult(CallbackVendor.Certificate)!));
                    var readers = services.Where(s => s.ServiceType == typeof(IFeedbackReader)).ToList();
                    // Amazon's certificate is one of ours here.
                    services.Remove(readers.First(s => s.ImplementationFactory is not null));
                    change?.Invoke(services);
                },
                ("TRANSPORTS", vendor.Dsn($"http://127.0.0.1:{stub.Port}")));
            var transports = (await server.Client.GetFromJsonAsync<JsonNode>("/transports"))!;
            var url = new Uri((string)transports["data"]![0]!["callback_url"]!);
            return new House(vendor, stub, server, url.AbsolutePath);
        }

        public async Task<string> SubmitAsync()
        {
            using var response = await Server.Client.PostAsync("/emails",
                TestServer.Json("""{"from":"shop@example.com","to":"ann@example.org","subject":"S","text":"T"}"""));
            return (string)(await response.Content.ReadFromJsonAsync<JsonNode>())!["id"]!;
        }

        public async Task<string> SendAsync()
        {
            var id = await SubmitAsync();
            await Server.GetEmailAsync(id, e => (string?)e["recipients"]![0]!["status"] == "sent");
            return id;
        }

        public async Task<HttpResponseMessage> SendCallbackAsync(Callback callback, string? path = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path ?? Path) { Content = new ByteArrayContent(callback.Body) };
            foreach (var (name, value) in callback.Headers)
                request.Headers.Add(name, value);
            return await Server.Stranger.SendAsync(request);
        }

        public async Task<HttpStatusCode> PostAsync(Callback callback)
        {
            using var response = await SendCallbackAsync(callback);
            return response.StatusCode;
        }

        public async ValueTask DisposeAsync()
        {
            await Server.DisposeAsync();
            await _stub.DisposeAsync();
        }
    }
}
