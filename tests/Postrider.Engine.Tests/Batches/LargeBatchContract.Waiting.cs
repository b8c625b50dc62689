using System.Text.Json;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Storage.Tables;
using Postrider.Templates;
using Xunit;

namespace Postrider.Engine.Tests.Batches;

/// <content>Batches that have no room, no way out or no time: they wait, and lose nobody.</content>
public abstract partial class LargeBatchContract
{
    [Fact]
    public async Task A_batch_does_not_run_far_ahead_of_delivery()
    {
        var batch = await _house.StartedAsync(500);
        var expander = _house.NewExpander(maxAhead: 120);
        await BatchHouse.RunAsync(expander);
        Assert.Equal(120, (await _house.FindAsync(batch.Id)).Taken);
        await _house.LeaseAsync(100);
        await BatchHouse.RunAsync(expander);
        Assert.Equal(220, (await _house.FindAsync(batch.Id)).Taken);
    }

    [Fact]
    public async Task A_batch_that_nobody_can_expand_is_paused_with_the_reason_and_keeps_no_other()
    {
        var broken = await _house.StartedAsync(5);
        await _house.Tables.WriteAsync(c => Dapper.SqlMapper.Execute(
            c, "UPDATE batches SET content = @content WHERE id = @id", new { content = new byte[] { 77 }, id = broken.Id.Value }));
        var good = await _house.StartedAsync(5);
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal((0, true), ((await _house.FindAsync(broken.Id)).Taken, (await _house.FindAsync(broken.Id)).IsPaused));
        Assert.Equal("server-error", Assert.Single(await _house.Batches.FaultsAsync(broken.Id, 0, 10, default)).Slug);
        Assert.Equal(5, (await _house.AddressesAsync(good.Id)).Count);
    }

    [Fact]
    public async Task Destinations_wait_while_there_is_no_transport_and_none_is_lost()
    {
        var batch = await _house.StartedAsync(30);
        var expander = _house.NewExpander(maxAhead: 10);
        await BatchHouse.RunAsync(expander);
        Assert.Null(await _house.Submitter.WhyNoRoomAsync(TenantId.First, batch.Terms, default));

        _house.Router.Replace(RouteTable.Empty);
        await _house.LeaseAsync(10);
        await BatchHouse.RunAsync(expander);
        var waiting = await _house.FindAsync(batch.Id);
        Assert.Equal((BatchState.Expanding, 10, 0, false), (waiting.State, waiting.Taken, waiting.Failed, waiting.IsPaused));
        Assert.Contains("transport", await _house.Submitter.WhyNoRoomAsync(TenantId.First, batch.Terms, default));

        _house.Router.Replace(_house.Routes("another"));
        await GoOnAsync(batch, _house.NewExpander());
    }

    [Fact]
    public async Task Destinations_wait_while_the_route_of_their_batch_is_gone_and_none_is_lost()
    {
        _house.Router.Replace(_house.Routes("relay", "news"));
        var batch = await _house.StartedAsync(30, BatchHouse.News with { Route = "news" });
        _house.Router.Replace(_house.Routes("relay"));
        var other = await _house.StartedAsync(3);
        await BatchHouse.RunAsync(_house.NewExpander());
        var waiting = await _house.FindAsync(batch.Id);
        Assert.Equal((BatchState.Expanding, 0, 0), (waiting.State, waiting.Taken, waiting.Failed));
        Assert.Equal(BatchState.Expanded, (await _house.FindAsync(other.Id)).State);
        Assert.Contains("'news'", await _house.Submitter.WhyNoRoomAsync(TenantId.First, batch.Terms, default));

        _house.Router.Replace(_house.Routes("relay", "news"));
        await GoOnAsync(batch, _house.NewExpander());
    }

    [Fact]
    public async Task A_destination_without_a_way_out_waits_and_those_before_it_do_not()
    {
        var batch = await _house.AddAsync();
        await _house.AppendAsync(batch.Id, 0, 3);
        await _house.Batches.AppendAsync(TenantId.First, batch.Id, new BatchPart
        {
            Destinations = [new StoredDestination(1, "r4@example.org", null, null)],
            LinesBefore = 0,
            Lines = 1,
        }, _house.Clock.GetUtcNow());
        await _house.AppendAsync(batch.Id, 4, 2);
        await _house.Batches.StartAsync(TenantId.First, batch.Id, _house.Clock.GetUtcNow());
        var table = _house.Router.Table;
        _house.Router.Replace(new RouteTable(table.Transports, table.Routes.ToDictionary(route => route.Name),
            [new RouteRule("lost") { RecipientDomain = "example.org" }]));
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal((3, 0), ((await _house.FindAsync(batch.Id)).Taken, (await _house.FindAsync(batch.Id)).Failed));

        _house.Router.Replace(table);
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal((6, 0), ((await _house.FindAsync(batch.Id)).Taken, (await _house.FindAsync(batch.Id)).Failed));
    }

    /// <summary>Every destination becomes a message after all.</summary>
    async Task GoOnAsync(LargeBatch batch, Expander expander)
    {
        await BatchHouse.RunAsync(expander);
        var done = await _house.FindAsync(batch.Id);
        Assert.Equal((BatchState.Expanded, done.Total, 0), (done.State, done.Taken, done.Failed));
        Assert.Equal(Everybody(done.Total).Order(), (await _house.AddressesAsync(batch.Id)).Order());
        Assert.Empty(await _house.Batches.FaultsAsync(batch.Id, 0, 10, default));
    }

    // A garbage collection or a machine that was moved must not cost a destination its mail.
    [Fact]
    public async Task A_process_that_stands_still_while_templates_are_filled_in_loses_no_destination()
    {
        Assert.NotNull(await new TemplateTables(_house.Tables).AddAsync(TenantId.First, "d-long", "long", new TemplateContent
        {
            Subject = "{{#each many}}.{{/each}}",
            Text = "Hi",
        }, _house.Clock.GetUtcNow()));
        var data = JsonElement.Parse($$"""{"many":[{{string.Join(',', Enumerable.Range(0, 600))}}]}""");
        var batch = await _house.StartedAsync(3,
            BatchHouse.News with { Subject = null, Text = null, Template = new("long") { Data = data } }, _ => "{}");
        _house.TemplateTime.Stall = TimeSpan.FromSeconds(2);
        await GoOnAsync(batch, _house.NewExpander());
    }

    [Fact]
    public async Task A_batch_whose_template_cannot_be_read_is_paused_with_the_reason_and_loses_no_destination()
    {
        await _house.TemplateAsync("hi", "Hi");
        var draft = await _house.DraftAsync(
            BatchHouse.News with { Subject = null, Text = null, Template = new("hi") { Data = JsonElement.Parse("""{"name":"x"}""") } });
        draft = draft with { Shared = draft.Shared with { Content = draft.Shared.Content with { Subject = "{{#if" } } };
        await _house.Batches.AddAsync(draft);
        await _house.AppendAsync(draft.Id, 0, 3);
        await _house.Batches.StartAsync(TenantId.First, draft.Id, _house.Clock.GetUtcNow());
        await BatchHouse.RunAsync(_house.NewExpander());
        var paused = await _house.FindAsync(draft.Id);
        Assert.Equal((BatchState.Expanding, true, 0, 0), (paused.State, paused.IsPaused, paused.Taken, paused.Failed));
        Assert.Equal("server-error", Assert.Single(await _house.Batches.FaultsAsync(draft.Id, 0, 10, default)).Slug);
    }

    [Fact]
    public async Task A_batch_that_takes_too_long_rests_and_keeps_no_other()
    {
        var slow = await _house.StartedAsync(5);
        var good = await _house.StartedAsync(5);
        var watched = new WatchedExpansion(_house.Expansion) { TooSlow = slow.Id };
        var expander = _house.NewExpander(expansion: watched);
        await BatchHouse.RunAsync(expander);
        Assert.Equal((5, 0), ((await _house.FindAsync(good.Id)).Taken, (await _house.FindAsync(slow.Id)).Taken));
        Assert.False((await _house.FindAsync(slow.Id)).IsPaused);

        watched.TooSlow = null;
        await BatchHouse.RunAsync(expander);
        Assert.Equal(0, (await _house.FindAsync(slow.Id)).Taken);
        _house.Clock.Advance(TimeSpan.FromSeconds(30));
        await BatchHouse.RunAsync(expander);
        Assert.Equal(5, (await _house.FindAsync(slow.Id)).Taken);
    }
}
