using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Storage.Tables;
using Postrider.Templates;
using Xunit;

namespace Postrider.Engine.Tests.Templates;

public sealed class SqliteTemplateStoreTests() : TemplateStoreContract(StoreEngine.Sqlite);

public sealed class PostgresTemplateStoreTests() : TemplateStoreContract(StoreEngine.Postgres);

/// <summary>What every store of templates must do.</summary>
public abstract class TemplateStoreContract(StoreEngine engine) : TableContract(engine)
{
    static readonly DateTimeOffset At = new(2026, 3, 1, 9, 30, 0, TimeSpan.Zero);
    static readonly TenantId Other = new(2);

    private protected ITemplateStore Store => new TemplateTables(Tables);

    [Fact]
    public async Task Every_version_outlives_a_restart_and_stays_what_it_was()
    {
        var full = new TemplateContent
        {
            Subject = "s ü",
            Text = "t",
            Html = "<b>",
            IsStrict = false,
            AllowsRawHtml = true,
            TestData = """{"a":1}""",
        };
        var added = (await Store.AddAsync(TenantId.First, "d-1", "welcome", full, At))!;
        await Store.AddVersionAsync(TenantId.First, added.Number, new TemplateContent { Text = "2" }, At.AddDays(1));
        await ReopenAsync();
        foreach (var key in (string[])["d-1", "welcome", $"{added.Number}"])
        {
            var newest = (await Store.FindAsync(TenantId.First, key, null, default))!;
            Assert.Equal((2, 2, At, At.AddDays(1)),
                (newest.NewestVersion, newest.Version.Number, newest.CreatedAt, newest.Version.CreatedAt));
            Assert.Equal(new TemplateContent { Text = "2" }, newest.Version.Content);
            Assert.Equal(full, (await Store.FindAsync(TenantId.First, key, 1, default))!.Version.Content);
            Assert.Null(await Store.FindAsync(TenantId.First, key, 3, default));
        }
    }

    [Fact]
    public async Task A_name_is_used_once_by_a_tenant_until_it_is_archived()
    {
        var first = (await AddAsync("welcome"))!;
        Assert.Null(await AddAsync("welcome"));
        Assert.Equal(1, (await Store.AddAsync(Other, "d-o", "welcome", Content, At))!.Number);
        Assert.True(await Store.ArchiveAsync(TenantId.First, first.Number, At.AddDays(2)));
        Assert.False(await Store.ArchiveAsync(TenantId.First, first.Number, At));
        Assert.Null(await Store.FindAsync(TenantId.First, "welcome", null, default));
        Assert.Equal(At.AddDays(2), (await Store.FindAsync(TenantId.First, first.Id, null, default))!.ArchivedAt);
        Assert.Null(await Store.AddVersionAsync(TenantId.First, first.Number, Content, At));
        Assert.Equal(first.Number + 1, (await AddAsync("welcome"))!.Number);
        Assert.NotNull(await Store.FindAsync(Other, "welcome", null, default));
    }

    [Fact]
    public async Task Another_tenants_templates_are_not_there()
    {
        var own = (await AddAsync("welcome"))!;
        foreach (var key in (string[])["welcome", own.Id, $"{own.Number}"])
            Assert.Null(await Store.FindAsync(Other, key, null, default));
        Assert.Empty(await Store.ListAsync(Other, 0, 10, default));
        Assert.False(await Store.ArchiveAsync(Other, own.Number, At));
        Assert.Null(await Store.AddVersionAsync(Other, own.Number, Content, At));
    }

    [Fact]
    public async Task They_are_listed_page_by_page()
    {
        for (var i = 0; i < 5; i++)
            await AddAsync($"t{i}");
        await Store.AddVersionAsync(TenantId.First, 2, new TemplateContent { Text = "new" }, At);
        var page = await Store.ListAsync(TenantId.First, 1, 3, default);
        Assert.Equal([(2, "t1", 2), (3, "t2", 1), (4, "t3", 1)], page.Select(t => (t.Number, t.Name, t.Version.Number)));
    }

    int _ids;

    static TemplateContent Content { get; } = new() { Text = "x" };

    Task<StoredTemplate?> AddAsync(string name) => Store.AddAsync(TenantId.First, $"d-{_ids++}", name, Content, At);
}
