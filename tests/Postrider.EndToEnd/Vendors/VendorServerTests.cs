using System.Collections;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Cli;
using Postrider.EndToEnd.Api;
using Postrider.Providers;
using Postrider.Providers.Ses;
using Postrider.Vendors;
using Xunit;

namespace Postrider.EndToEnd.Vendors;

/// <summary>The simulated vendors by themselves: keys, faults, control calls, and their callbacks to a server of ours.</summary>
public sealed class VendorServerTests
{
    [Theory]
    [InlineData("ses")]
    [InlineData("sendgrid")]
    [InlineData("mailgun")]
    [InlineData("postmark")]
    [InlineData("resend")]
    public async Task What_was_submitted_arrives_and_the_signed_callbacks_find_their_message(string vendor)
    {
        await using var vendors = await VendorHost.StartAsync();
        await using var server = await ReportingAsync(vendors, vendor);
        await vendors.SetAsync(vendor, $"bounce=gone@example.com&callbacks={await CallbackOfAsync(server)}");

        var delivered = await SendAsync(server, "ann@example.com");
        var bounced = await SendAsync(server, "gone@example.com");

        var told = await server.GetEmailAsync(delivered, email => (string)email["recipients"]![0]!["status"]! is "delivered");
        Assert.Equal("complete", (string)told["status"]!);
        await server.GetEmailAsync(bounced, email => (string)email["recipients"]![0]!["status"]! is "bounced");
        var mail = (await vendors.MailsAsync(vendor))[1]!;
        Assert.Equal(("Ihre Bestellung: ä", "ann@example.com"), ((string)mail["subject"]!, (string)mail["recipients"]![0]!["email"]!));
        Assert.StartsWith(delivered, (string)mail["postrider_id"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sendgrid")]
    [InlineData("mailgun")]
    [InlineData("postmark")]
    public async Task A_callback_resolves_what_was_taken_and_never_answered(string vendor)
    {
        await using var vendors = await VendorHost.StartAsync();
        var key = Uri.EscapeDataString(vendors.Services.GetRequiredService<VendorCallbacks>().WriterOf(vendor).Key);
        var standby = vendor == "sendgrid" ? "postmark" : "sendgrid";
        await using var server = await TestServer.StartAsync(
            ("TRANSPORTS", $"{vendors.Dsn(vendor, "timeout=1s", $"callback_key={key}")} {vendors.Dsn(standby)}"));
        var transport = JsonNode.Parse(await server.Client.GetStringAsync("/transports"))!["data"]![0]!;
        var url = new Uri(server.Address, new Uri((string)transport["callback_url"]!).AbsolutePath).ToString();
        await vendors.SetAsync(vendor, $"hang=1&late=2s&callbacks={Uri.EscapeDataString(url)}");

        var id = await SendAsync(server, "ann@example.com");

        var email = await server.GetEmailAsync(id, e => (string)e["recipients"]![0]!["status"]! is "delivered");
        Assert.Equal([(vendor, "unknown")], email["attempts"]!.AsArray()
            .Select(one => ((string)one!["transport"]!, (string)one["outcome"]!)));
        Assert.Empty(await vendors.MailsAsync(standby));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_batch_goes_to_Mailgun_in_a_few_calls_and_what_is_said_of_each_recipient_finds_him(bool isFilledIn)
    {
        const int Count = 60;
        await using var vendors = await VendorHost.StartAsync();
        var writer = vendors.Services.GetRequiredService<VendorCallbacks>().WriterOf("mailgun");
        await using var server = await TestServer.StartAsync(
            ("TRANSPORTS", vendors.Dsn("mailgun", "calls=1", $"callback_key={Uri.EscapeDataString(writer.Key)}")));
        var transport = JsonNode.Parse(await server.Client.GetStringAsync("/transports"))!["data"]![0]!;
        var url = new Uri(server.Address, new Uri((string)transport["callback_url"]!).AbsolutePath);
        var faults = isFilledIn ? $"&bounce=a7@example.com&callbacks={Uri.EscapeDataString(url.ToString())}" : "";
        await vendors.SetAsync("mailgun", $"latency=100ms{faults}");

        using var accepted = await server.Client.PostAsJsonAsync("/emails/send", new
        {
            from = "shop@example.org",
            subject = "News",
            text = "The same for all.",
            destinations = Enumerable.Range(0, Count).Select(n => new { email = $"a{n}@example.com", name = $"Ann {n}" }),
        });
        var emails = (await accepted.Content.ReadFromJsonAsync<JsonNode>())!["emails"]!.AsArray();
        var ids = emails.ToDictionary(email => (string)email!["email"]!, email => (string)email!["id"]!);
        foreach (var id in ids.Values)
            await server.GetEmailAsync(id, email => (string?)email["status"] != "incomplete");
        if (!isFilledIn)
        {
            // As some of Mailgun's users have seen it: the variable stands as it was written.
            var mail = await server.GetEmailAsync(ids["a7@example.com"], _ => true);
            var callback = writer.Write(new FeedbackEvent
            {
                Kind = FeedbackKind.BouncedHard,
                Type = "failed",
                Key = "k",
                CarriedId = "%recipient.postrider_id%",
                ProviderId = (string)mail["recipients"]![0]!["provider_id"]!,
                Address = "a7@example.com",
                At = TimeProvider.System.GetUtcNow(),
            }, TimeProvider.System.GetUtcNow())!;
            using var body = new ByteArrayContent(callback.Body.ToArray());
            using var told = await vendors.Client.PostAsync(url, body);
            Assert.True(told.IsSuccessStatusCode);
        }

        await server.GetEmailAsync(ids["a7@example.com"], email => (string)email["recipients"]![0]!["status"]! is "bounced");
        if (isFilledIn)
            await server.GetEmailAsync(ids["a8@example.com"], email => (string)email["recipients"]![0]!["status"]! is "delivered");
        var mails = (await vendors.MailsAsync("mailgun")).Select(mail => mail!).ToList();
        Assert.Equal(Count, mails.Count);
        Assert.All(mails, mail =>
        {
            var to = Assert.Single(mail["recipients"]!.AsArray())!;
            Assert.Equal($"{ids[(string)to["email"]!]}-0", (string)mail["postrider_id"]!);
        });
        Assert.InRange(await vendors.CallsAsync("mailgun"), 1, Count / 4);
    }

    [Theory]
    [InlineData("ses", "accepted", "failed")]
    [InlineData("sendgrid", "accepted", "failed")]
    [InlineData("mailgun", "accepted", "failed")]
    [InlineData("resend", "accepted", "failed")]
    [InlineData("postmark", "rejected", "bounced")]
    public async Task Whom_a_vendor_has_on_its_own_list_it_does_not_mail_and_says_so(string vendor, string outcome, string status)
    {
        await using var vendors = await VendorHost.StartAsync();
        await using var server = await ReportingAsync(vendors, vendor);
        await vendors.SetAsync(vendor, $"suppress=gone@example.com&callbacks={await CallbackOfAsync(server)}");

        var mail = await server.GetEmailAsync(await SendAsync(server, "gone@example.com"),
            email => (string)email["recipients"]![0]!["status"]! == status);
        var other = await server.GetEmailAsync(await SendAsync(server, "ann@example.com"),
            email => (string)email["recipients"]![0]!["status"]! is "delivered");

        Assert.Equal([(vendor, outcome)], mail["attempts"]!.AsArray().Select(one => ((string)one!["transport"]!, (string)one["outcome"]!)));
        Assert.Equal("accepted", (string)Assert.Single(other["attempts"]!.AsArray())!["outcome"]!);
    }

    [Fact]
    public async Task The_call_of_Postmark_names_who_is_on_our_own_suppression_list()
    {
        await using var vendors = await VendorHost.StartAsync();
        await using var server = await ReportingAsync(vendors, "mailgun");
        await vendors.SetAsync("mailgun", $"bounce=gone@example.com&callbacks={await CallbackOfAsync(server)}");
        await server.GetEmailAsync(await SendAsync(server, "gone@example.com"),
            email => (string)email["recipients"]![0]!["status"]! is "bounced");

        var (alone, refused) = await PostmarkAsync(server, "gone@example.com");
        var (together, taken) = await PostmarkAsync(server, "gone@example.com, ann@example.com");

        Assert.Equal((HttpStatusCode.UnprocessableEntity, 406), (alone, (int)refused["ErrorCode"]!));
        Assert.Contains("Found inactive addresses: gone@example.com. Inactive recipients", (string)refused["Message"]!, StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode.OK, 0), (together, (int)taken["ErrorCode"]!));
        Assert.Equal("Message OK, but will not deliver to these inactive addresses: gone@example.com.", (string)taken["Message"]!);

        static async Task<(HttpStatusCode, JsonNode)> PostmarkAsync(TestServer server, string to)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/email")
            {
                Content = JsonContent.Create(new { From = "shop@example.org", To = to, Subject = "s", TextBody = "t" }),
                Headers = { { "X-Postmark-Server-Token", server.Client.DefaultRequestHeaders.Authorization!.Parameter } },
            };
            using var answer = await server.Client.SendAsync(request);
            return (answer.StatusCode, (await answer.Content.ReadFromJsonAsync<JsonNode>())!);
        }
    }

    [Fact]
    public async Task Resends_mail_is_looked_up_moved_and_cancelled_as_there()
    {
        await using var vendors = await VendorHost.StartAsync();
        vendors.Client.DefaultRequestHeaders.Authorization = new("Bearer", "re_any");
        var later = TimeProvider.System.GetUtcNow().AddHours(2);
        async Task<(int, JsonNode)> CallAsync(string method, string path, object? body = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Parse(method), path)
            {
                Content = body is null ? null : JsonContent.Create(body),
            };
            using var answer = await vendors.Client.SendAsync(request);
            return ((int)answer.StatusCode, (await answer.Content.ReadFromJsonAsync<JsonNode>())!);
        }
        async Task<string> TakeAsync(object? at) => (string)(await CallAsync("POST", "/emails", new
        { from = "Shop <shop@example.org>", to = new[] { "ann@example.com" }, subject = "Hi", html = "<b>t</b>", scheduled_at = at })).Item2["id"]!;

        var planned = await TakeAsync(later.AddHours(-1));
        var (_, scheduled) = await CallAsync("GET", $"/emails/{planned}");
        var (_, moved) = await CallAsync("PATCH", $"/emails/{planned}", new { scheduled_at = later });
        var (_, afterwards) = await CallAsync("GET", $"/emails/{planned}");
        var (_, cancelled) = await CallAsync("POST", $"/emails/{planned}/cancel");
        var (again, refusal) = await CallAsync("POST", $"/emails/{planned}/cancel");
        var (_, sent) = await CallAsync("GET", $"/emails/{await TakeAsync(null)}");

        Assert.Equal(("email", "scheduled", "Shop <shop@example.org>", """["ann@example.com"]""", "[]"), ((string)scheduled["object"]!,
            (string)scheduled["last_event"]!, (string)scheduled["from"]!, scheduled["to"]!.ToJsonString(), scheduled["cc"]!.ToJsonString()));
        Assert.Equal((planned, planned), ((string)moved["id"]!, (string)cancelled["id"]!));
        Assert.Equal(later, (DateTimeOffset)afterwards["scheduled_at"]!);
        Assert.Equal("canceled", (string)(await CallAsync("GET", $"/emails/{planned}")).Item2["last_event"]!);
        Assert.Equal((422, "validation_error"), (again, (string)refusal["name"]!));
        Assert.Equal(("delivered", null), ((string)sent["last_event"]!, sent["scheduled_at"]));
        Assert.Equal((404, "not_found"), (await CallAsync("GET", $"/emails/{Guid.Empty}")) is var (status, body) ? (status, (string)body["name"]!) : default);
        Assert.Equal(422, (await CallAsync("PATCH", $"/emails/{planned}", new { scheduled_at = "in 1 min" })).Item1);
        Assert.Equal(405, (await CallAsync("DELETE", $"/emails/{planned}")).Item1);
    }

    [Fact]
    public async Task Given_keys_are_asked_for_and_signatures_checked()
    {
        await using var vendors = await VendorHost.StartAsync("ID:OTHER", "KEY");
        await using var server = await TestServer.StartAsync(("TRANSPORTS", $"{vendors.Dsn("ses")} {vendors.Dsn("sendgrid")}"));

        var email = await server.GetEmailAsync(await SendAsync(server, "ann@example.com"), e => (string?)e["status"] != "incomplete");

        Assert.Equal(["refused", "accepted"], email["attempts"]!.AsArray().Select(one => (string)one!["outcome"]!));
        Assert.Contains("SignatureDoesNotMatch", (string)email["attempts"]![0]!["text"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Beyond_its_rate_a_vendor_throttles_until_the_next_second()
    {
        await using var vendors = await VendorHost.StartAsync();
        await vendors.SetAsync("postmark", "rate=3&retry_after=1s");
        using var client = new HttpClient { BaseAddress = vendors.Address };
        var answers = new List<HttpResponseMessage>();
        for (var n = 0; n < 20; n++)
            answers.Add(await client.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/email")
            {
                Content = TestServer.Json("""{"From":"a@b.example","To":"c@d.example","Subject":"s","TextBody":"t"}"""),
                Headers = { { "X-Postmark-Server-Token", "any" } },
            }));

        Assert.Contains(answers, answer => answer.StatusCode == HttpStatusCode.OK);
        var throttled = answers.First(answer => answer.StatusCode == HttpStatusCode.TooManyRequests);
        Assert.Equal("1", throttled.Headers.RetryAfter!.ToString());
        Assert.Equal(429, (int)(await throttled.Content.ReadFromJsonAsync<JsonNode>())!["ErrorCode"]!);
    }

    [Fact]
    public async Task Faults_are_shown_as_they_are_written_and_one_is_put_over_another()
    {
        await using var vendors = await VendorHost.StartAsync();
        await vendors.SetAsync("ses", "latency=20ms&fail=0.05&refuse=invalid_recipient&to=*@example.com&rate=14");

        using var changed = await vendors.Client.PostAsync("/vendors/ses/faults?fail=0&hang=0.5", null);

        Assert.Equal("latency=20ms&rate=14&hang=0.5&refuse=invalid_recipient&to=*@example.com",
            (string)JsonNode.Parse(await changed.Content.ReadAsStringAsync())!["faults"]!);
    }

    [Theory]
    [InlineData("latency=fast", "latency")]
    [InlineData("fail=2", "fail")]
    [InlineData("refuse=5", "refuse")]
    [InlineData("speed=1", "there is no option 'speed'")]
    public async Task A_faulty_fault_is_refused_and_changes_nothing(string faults, string words)
    {
        await using var vendors = await VendorHost.StartAsync();

        using var answer = await vendors.Client.PostAsync($"/vendors/ses/faults?{faults}", null);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        Assert.Contains(words, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("none", (string)JsonNode.Parse(await vendors.Client.GetStringAsync("/vendors"))![0]!["faults"]!);
    }

    [Theory]
    [InlineData("nobody:fail=1", "begins with none of")]
    [InlineData("mailgun:fail=x", "probability")]
    public async Task The_command_names_a_faulty_fault(string fault, string words)
    {
        using var error = new StringWriter();

        var code = await CommandLine.RunAsync(
            ["vendors", "--port", "0", "--fault", fault], new CommandInput(new Hashtable(), null), TextWriter.Null, error);

        Assert.Equal(2, code);
        Assert.Contains(words, error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>A server that believes what the simulated vendor says of its mail.</summary>
    static Task<TestServer> ReportingAsync(VendorHost vendors, string vendor)
    {
        var writer = vendors.Services.GetRequiredService<VendorCallbacks>().WriterOf(vendor);
        var topics = vendor == "ses" ? $"&topics={Uri.EscapeDataString(SesCallbacks.Topic)}" : "";
        var key = vendor == "ses" ? Convert.ToBase64String(Encoding.ASCII.GetBytes(writer.Key)) : writer.Key;
        return TestServer.StartAsync(("TRANSPORTS", vendors.Dsn(vendor, $"callback_key={Uri.EscapeDataString(key)}{topics}")));
    }

    /// <summary>Where the vendor of the first transport reports to, as a part of a query.</summary>
    static async Task<string> CallbackOfAsync(TestServer server)
    {
        var transport = JsonNode.Parse(await server.Client.GetStringAsync("/transports"))!["data"]![0]!;
        return Uri.EscapeDataString(new Uri(server.Address, new Uri((string)transport["callback_url"]!).AbsolutePath).ToString());
    }

    static async Task<string> SendAsync(TestServer server, string to)
    {
        using var answer = await server.Client.PostAsJsonAsync("/emails",
            new { from = "shop@example.org", to, subject = "Ihre Bestellung: ä", text = "t" });
        return (string)(await answer.Content.ReadFromJsonAsync<JsonNode>())!["id"]!;
    }
}
