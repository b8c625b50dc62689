using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Postmark;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Postmark;

/// <summary>Postmark's search by our id, for what an attempt left in doubt.</summary>
public sealed class PostmarkSearchTests
{
    static readonly MessageId Id = MessageId.Create(1_700_000_000_000, 1, 0);

    static string Found(string id, string recipient = "ann@example.org") => $$"""
        {"Tag":"","MessageID":"m-{{recipient}}","MessageStream":"outbound","To":[{"Email":"{{recipient}}","Name":null}],
         "Recipients":["{{recipient}}"],"ReceivedAt":"2026-11-21T12:00:00-05:00","Status":"Sent","Metadata":{"postrider_id":"{{id}}"} }
        """;

    static string Page(params string[] messages) => $$"""{"TotalCount":{{messages.Length}},"Messages":[{{string.Join(',', messages)}}]}""";

    [Fact]
    public async Task What_it_has_is_confirmed()
    {
        await using var stub = HttpStub.Start(call =>
            new HttpReply(200, call.Target.EndsWith($"{Id}-2", StringComparison.Ordinal) ? Page(Found($"{Id}-2")) : Page()));

        var events = await FindAsync(stub, 0, 2);

        var found = Assert.Single(events!);
        Assert.Equal((FeedbackKind.Accepted, $"{Id}-2", "ann@example.org", "m-ann@example.org"),
            (found.Kind, found.CarriedId, found.Address, found.ProviderId));
        Assert.Equal(
            [.. new[] { $"{Id}", $"{Id}-0", $"{Id}-2" }
                .Select(id => $"GET /messages/outbound?count=10&offset=0&metadata_postrider_id={id}")],
            stub.Calls.Select(call => $"{call.Method} {call.Target}"));
        Assert.Equal("KEY", stub.Calls[0].Header("X-Postmark-Server-Token"));
    }

    [Fact]
    public async Task A_filter_that_was_not_understood_finds_nothing_of_ours()
    {
        const string Foreign = """{"MessageID":"x","Recipients":["a@example.org"]}""";
        await using var stub = HttpStub.Start(new HttpReply(200, Page(Found("another"), Foreign)));
        Assert.Empty((await FindAsync(stub, 0))!);
    }

    [Theory]
    [InlineData(401, """{"ErrorCode":10,"Message":"Bad or missing Server API token."}""")]
    [InlineData(200, "<html>")]
    [InlineData(200, """{"TotalCount":0}""")]
    [InlineData(500, "")]
    public async Task No_answer_of_the_search_proves_nothing(int status, string body)
    {
        await using var stub = HttpStub.Start(new HttpReply(status, body));
        Assert.Null(await FindAsync(stub, 0));
    }

    static async Task<IReadOnlyList<FeedbackEvent>?> FindAsync(HttpStub stub, params int[] recipients)
    {
        await using var provider = new PostmarkProviderFactory(TimeProvider.System).Create(Vendors.Settings("postmark", stub));
        return await provider.FindAsync(new DoubtfulMessage(Id, MailStream.Transactional, recipients), default);
    }
}
