using System.Text.Json;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Storage.Tables;
using Postrider.Templates;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Templates;

/// <summary>Templates that call others of their tenant.</summary>
public sealed class StoredPartialTests() : TableContract(StoreEngine.Sqlite)
{
    static readonly TenantId Other = new(2);

    TemplateLibrary Library => new(new TemplateTables(Tables), new ManualClock(), Entropy.System, new TemplateOptions());

    async Task<TemplateResult> AddAsync(string name, string html, TenantId? tenant = null, string? text = null) =>
        await Library.AddAsync(tenant ?? TenantId.First, name, new TemplateContent { Html = html, Text = text });

    async Task KeepAsync(string name, string html, TenantId? tenant = null, string? text = null) =>
        Assert.Null((await AddAsync(name, html, tenant, text)).Problem);

    Task<TemplateResult> ChangeAsync(string name, string html) =>
        Library.AddVersionAsync(TenantId.First, name, new TemplateContent { Html = html }, default);

    async Task<TemplateContent> PinAsync(string name)
    {
        var (content, problem) = await Library.PinAsync(TenantId.First, new TemplateUse(name), default);
        Assert.Null(problem);
        return content!;
    }

    static string Fill(TemplateContent content, string data = """{"name":"Ann"}""")
    {
        var filled = ReadyTemplate.Read(content, out var problem)?.Fill(
            TemplateData.Of(JsonElement.Parse(data)), new FillRules { MaxLength = 10_000 }, true, withText: false, out problem);
        Assert.Null(problem);
        return filled!.Html!;
    }

    [Fact]
    public async Task A_layout_and_a_footer_are_taken_in_as_they_are_when_mail_is_accepted()
    {
        await KeepAsync("footer", "<i>{{name}}, bye</i>");
        await KeepAsync("layout", "<body>{{> @partial-block}}{{> footer}}</body>");
        await KeepAsync("news", "{{#> layout}}<p>News for {{name}}</p>{{/layout}}");
        const string expected = "<body><p>News for Ann</p><i>Ann, bye</i></body>";
        var accepted = await PinAsync("news");
        Assert.Equal(expected, Fill(accepted));

        Assert.Null((await ChangeAsync("footer", "<b>new</b>")).Problem);
        Assert.Equal(expected, Fill(accepted));
        Assert.Equal("<body><p>News for Ann</p><b>new</b></body>", Fill(await PinAsync("news")));
        // What is gone now is told when it is needed; a block needs none.
        await Library.ArchiveAsync(TenantId.First, "footer", isForced: true, default);
        var (_, gone) = await Library.PinAsync(TenantId.First, new TemplateUse("news"), default);
        Assert.Contains("no partial 'footer' (called by 'layout')", gone!.Detail, StringComparison.Ordinal);
        await Library.ArchiveAsync(TenantId.First, "layout", isForced: true, default);
        Assert.Equal("<p>News for Ann</p>", Fill(await PinAsync("news")));
    }

    [Fact]
    public async Task What_others_call_is_archived_only_when_that_is_meant()
    {
        Task<Problem?> ArchiveAsync(string name, bool isForced = false) => Library.ArchiveAsync(TenantId.First, name, isForced, default);
        await KeepAsync("layout", "<body>{{> @partial-block}}</body>", text: "bye");
        await KeepAsync("own", """{{#*inline "layout"}}mine{{/inline}}{{> layout}}""");
        await KeepAsync("layout", "theirs", Other);
        await KeepAsync("news", "{{#> layout}}N{{/layout}}", Other);
        Assert.Null(await ArchiveAsync("own"));
        await KeepAsync("text", "no call", text: "{{> layout}}");
        await KeepAsync("by-id", $"{{{{> {(await Library.FindAsync(TenantId.First, "layout", null, default))!.Id}}}}}");
        for (var i = 0; i < 25; i++)
            await KeepAsync($"many-{i}", "{{#> layout}}N{{/layout}}");
        var refused = (await ArchiveAsync("layout"))!;
        Assert.Equal((409, "template-in-use"), (refused.Status, refused.Slug));
        Assert.Contains("called by text, by-id, many-0,", refused.Detail, StringComparison.Ordinal);
        Assert.Contains("and 17 more", refused.Detail, StringComparison.Ordinal);
        Assert.Null((await Library.FindAsync(TenantId.First, "layout", null, default))!.ArchivedAt);
        Assert.Null(await ArchiveAsync("layout", isForced: true));
        Assert.Equal("not-found", (await ArchiveAsync("layout"))?.Slug);
        Assert.Equal("not-found", (await ArchiveAsync("nothing"))?.Slug);
    }

    [Fact]
    public async Task What_is_not_called_any_more_is_archived()
    {
        await KeepAsync("footer", "bye");
        await KeepAsync("news", "{{> footer}}");
        Assert.NotNull(await Library.ArchiveAsync(TenantId.First, "footer", isForced: false, default));
        Assert.Null((await ChangeAsync("news", "no footer")).Problem);
        Assert.Null(await Library.ArchiveAsync(TenantId.First, "footer", isForced: false, default));
    }

    [Fact]
    public async Task A_version_that_there_is_not_is_told_with_the_newest()
    {
        await KeepAsync("order", "one");
        Assert.Null((await ChangeAsync("order", "two")).Problem);
        var (_, problem) = await Library.PinAsync(TenantId.First, new TemplateUse("order") { Version = 9 }, default);
        Assert.Equal(("no-such-template", "/template/version"), (problem!.Slug, problem.Errors[0].Pointer));
        Assert.Equal("The template 'order' has no version 9; its newest is 2.", problem.Detail);
        Assert.Equal(problem.Detail, (await Library.WhyAbsentAsync(TenantId.First, "order", 9, default)).Detail);
        Assert.Contains("no template", (await Library.WhyAbsentAsync(TenantId.First, "other", 9, default)).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_circle_is_refused_when_it_is_kept_with_its_place()
    {
        await KeepAsync("a", "a");
        await KeepAsync("b", "{{> a}}");
        await KeepAsync("c", "{{> b}}");
        var refused = (await ChangeAsync("a", "one\n  {{> c}}")).Problem!;
        Assert.Equal(("template-error", "/html"), (refused.Slug, refused.Errors[0].Pointer));
        Assert.Contains("without end: it > c > b > a", refused.Detail, StringComparison.Ordinal);
        Assert.EndsWith("(line 2, column 3)", refused.Detail);
        Assert.Contains("it > a", (await ChangeAsync("a", "{{> a}}")).Problem!.Detail, StringComparison.Ordinal);
        var id = (await Library.FindAsync(TenantId.First, "a", null, default))!.Id;
        Assert.Contains("without end", (await ChangeAsync("a", $"{{{{> {id}}}}}")).Problem!.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_tenants_templates_are_not_there_and_their_own_are()
    {
        await KeepAsync("footer", "theirs", Other);
        Assert.Contains("no partial 'footer'", (await AddAsync("news", "{{> footer}}")).Problem!.Detail, StringComparison.Ordinal);
        await KeepAsync("footer", "ours");
        await KeepAsync("news", "{{> footer}}");
        Assert.Equal("ours", Fill(await PinAsync("news")));
    }

    [Theory]
    [InlineData("{{> footer}}", "has no html")]
    [InlineData("{{> raw}}", "'raw' cannot be taken here: A value in three braces")]
    [InlineData("{{> half}}", "no partial 'half'")]
    public async Task What_cannot_be_taken_in_is_told(string html, string words)
    {
        await Library.AddAsync(TenantId.First, "footer", new TemplateContent { Text = "only text" });
        await Library.AddAsync(TenantId.First, "raw", new TemplateContent { Html = "{{{name}}}", AllowsRawHtml = true });
        Assert.Contains(words, (await AddAsync("news", html)).Problem!.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ends with a backslash \\")]
    [InlineData("two \\\\")]
    [InlineData("{{#if name}}x{{/if}}\n")]
    [InlineData("{{#*inline 'own'}}o{{/inline}}{{> own}}")]
    public async Task A_partial_says_the_same_inside_as_alone(string source)
    {
        await KeepAsync("part", source);
        await KeepAsync("whole", "[{{> part}}] \\");
        Assert.Equal($"[{Fill(await PinAsync("part"))}] \\", Fill(await PinAsync("whole")));
    }

    [Fact]
    public async Task Partials_together_are_bounded()
    {
        var large = new string('x', 300_000);
        await KeepAsync("one", large);
        await KeepAsync("two", large);
        Assert.Contains("more than 500000 characters",
            (await AddAsync("both", "{{> one}}{{> two}}")).Problem!.Detail, StringComparison.Ordinal);
        for (var i = 0; i < 51; i++)
            await KeepAsync($"p{i}", "x");
        var many = string.Concat(Enumerable.Range(0, 51).Select(i => $"{{{{> p{i}}}}}"));
        Assert.Contains("More than 50 partials", (await AddAsync("many", many)).Problem!.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_preview_of_what_is_not_kept_is_as_strict_as_keeping_it()
    {
        await KeepAsync("footer", "bye {{name}}");
        var content = new TemplateContent { Subject = "Hi {{name}}", Html = "<p>{{> footer}}</p>", TestData = """{"name":"Ann"}""" };
        var (filled, _) = await Library.PreviewAsync(TenantId.First, content, default, null, default);
        Assert.Equal(("Hi Ann", "<p>bye Ann</p>", "bye Ann"), (filled!.Subject, filled.Html, filled.Text));
        var (_, problem) = await Library.PreviewAsync(TenantId.First, content with { Html = "<p>\n{{#if}}" }, default, null, default);
        Assert.Contains("line 2", problem!.Detail, StringComparison.Ordinal);
        Assert.Single(await Library.ListAsync(TenantId.First, 0, 10, default));
    }
}
