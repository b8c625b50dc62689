using System.Text.Json;
using Postrider.Batches;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Storage.Tables;
using Postrider.Submission;
using Xunit;

namespace Postrider.Engine.Tests.Batches;

public sealed class SqliteLargeBatchTests() : LargeBatchContract(StoreEngine.Sqlite);

public sealed class PostgresLargeBatchTests() : LargeBatchContract(StoreEngine.Postgres);

/// <summary>How large batches become messages, on every store.</summary>
public abstract partial class LargeBatchContract(StoreEngine engine) : IAsyncLifetime
{
    BatchHouse _house = null!;

    public async ValueTask InitializeAsync() => _house = await BatchHouse.OpenAsync(engine);

    public async ValueTask DisposeAsync()
    {
        await _house.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    static IEnumerable<string> Everybody(int count) => Enumerable.Range(1, count).Select(BatchHouse.Address);

    [Fact]
    public async Task Each_destination_becomes_one_message_and_its_row_goes()
    {
        var batch = await _house.StartedAsync(1_203);
        await BatchHouse.RunAsync(_house.NewExpander());
        var done = await _house.FindAsync(batch.Id);
        Assert.Equal((BatchState.Expanded, 1_203, 1_203, 0), (done.State, done.Total, done.Taken, done.Failed));
        Assert.Equal(Everybody(1_203).Order(), (await _house.AddressesAsync(batch.Id)).Order());
        Assert.Equal((1_203, 1_203), ((await _house.CountsAsync(batch.Id)).Accepted, (await _house.CountsAsync(batch.Id)).Queued));
        Assert.Empty(await _house.Batches.ReadAsync(done with { Until = long.MaxValue }, 0, 10, default));
        Assert.NotEmpty(_house.HandOver.Signals);
    }

    [Fact]
    public async Task The_id_of_a_message_follows_from_its_place_in_the_batch()
    {
        var batch = await _house.StartedAsync(30);
        await BatchHouse.RunAsync(_house.NewExpander());
        var first = (await _house.FindAsync(batch.Id)).First!.Value;
        Assert.Equal(
            Enumerable.Range(0, 30).Select(i => (first.Plus(i), BatchHouse.Address(i + 1))),
            (await _house.MessagesAsync(batch.Id)).Select(m => (m.Id, m.Recipients[0].Mailbox.Address.ToString())).Reverse());
    }

    // Batches that wait for their tenant's quota have work for as long as they wait.
    [Fact]
    public async Task Many_batches_of_one_tenant_do_not_keep_the_first_of_another()
    {
        for (var i = 0; i < 3; i++)
            await _house.StartedAsync(1);
        _house.Clock.Advance(TimeSpan.FromSeconds(1));
        var other = new TenantId(2);
        var last = (await _house.Batches.AddAsync(await _house.DraftAsync() with { Tenant = other }))!.Value.Batch;
        await _house.AppendAsync(last.Id, 0, 1, tenant: other);
        Assert.True(await _house.Batches.StartAsync(other, last.Id, _house.Clock.GetUtcNow()));
        var work = await _house.Batches.WithWorkAsync(_house.Clock.GetUtcNow(), 0, 2, default);
        Assert.Equal([TenantId.First, other], work.Select(batch => batch.Tenant));
    }

    [Fact]
    public async Task Nodes_share_a_batch_without_doing_anything_twice()
    {
        var batches = new List<LargeBatch>();
        for (var i = 0; i < 3; i++)
            batches.Add(await _house.StartedAsync(700));
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            var expander = _house.NewExpander();
            while ((await Task.WhenAll(batches.Select(b => _house.FindAsync(b.Id)))).Any(b => !b.IsFinal))
                await expander.RunOnceAsync(default);
        })));
        foreach (var batch in batches)
            Assert.Equal(Everybody(700).Order(), (await _house.AddressesAsync(batch.Id)).Order());
    }

    [Fact]
    public async Task A_piece_whose_messages_cannot_be_stored_moves_no_cursor()
    {
        var batch = await _house.StartedAsync(10);
        await _house.Batches.OpenAsync(batch.Id, _house.Ids.Reserve(10));
        var open = await _house.FindAsync(batch.Id);
        Assert.True((await _house.Expansion.ExpandAsync(Piece(open, 0, 4))).Done);
        // The messages of the first four come again, under the cursor of the next.
        await Assert.ThrowsAnyAsync<Exception>(() => _house.Expansion.ExpandAsync(Piece(open, 0, 4) with { From = 4, To = 8 }));
        Assert.Equal((4, 4L), ((await _house.FindAsync(batch.Id)).Taken, (await _house.FindAsync(batch.Id)).Cursor));
        Assert.False((await _house.Expansion.ExpandAsync(Piece(open, 0, 4))).Done);
        Assert.Equal(4, (await _house.AddressesAsync(batch.Id)).Count);
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(Everybody(10).Order(), (await _house.AddressesAsync(batch.Id)).Order());
    }

    BatchPiece Piece(LargeBatch batch, int before, int count)
    {
        var maker = _house.Submitter.ForDestinations(TenantId.First, new MessageContent
        {
            From = new Mail.Addresses.Mailbox(null, Mail.Addresses.EmailAddress.Parse("news@example.com")),
            Subject = "News",
        }, batch.Terms);
        return new BatchPiece
        {
            Batch = batch,
            From = before,
            To = before + count,
            Count = count,
            Messages = [.. Enumerable.Range(before, count).Select(i =>
                maker.Make(batch.First!.Value.Plus(i), BatchHouse.Address(i + 1), null, null, _house.Clock.GetUtcNow(), out _)!)],
            Faults = [],
            IsLast = false,
        };
    }

    [Fact]
    public async Task What_cannot_be_filled_in_fails_visibly_and_the_rest_goes_on()
    {
        await _house.TemplateAsync("hi", "Hi {{name}}");
        var batch = await _house.StartedAsync(5, BatchHouse.News with { Subject = null, Text = null, Template = new("hi") },
            i => i == 3 ? """{"other":1}""" : $$"""{"name":"N{{i}}"}""");
        await BatchHouse.RunAsync(_house.NewExpander());
        var done = await _house.FindAsync(batch.Id);
        Assert.Equal((BatchState.Expanded, 5, 1), (done.State, done.Taken, done.Failed));
        var fault = Assert.Single(await _house.Batches.FaultsAsync(batch.Id, 0, 10, default));
        Assert.Equal((3L, BatchHouse.Address(3), "template-data"), (fault.N, fault.Email, fault.Slug));
        Assert.Contains("name", fault.Detail, StringComparison.Ordinal);
        Assert.Equal(["Hi N5", "Hi N4", "Hi N2", "Hi N1"], (await _house.MessagesAsync(batch.Id)).Select(m => m.Subject));
    }

    [Fact]
    public async Task Data_of_one_destination_goes_over_the_data_of_all()
    {
        await _house.TemplateAsync("hi", "{{greeting}} {{name}}");
        var data = System.Text.Json.JsonElement.Parse("""{"greeting":"Hello","name":"you"}""");
        var batch = await _house.StartedAsync(2,
            BatchHouse.News with { Subject = null, Text = null, Template = new("hi") { Data = data } },
            i => i == 1 ? """{"name":"Ann"}""" : null);
        await BatchHouse.RunAsync(_house.NewExpander());
        var messages = await _house.MessagesAsync(batch.Id);
        Assert.Equal(["Hello you", "Hello Ann"], messages.Select(m => m.Subject));
        Assert.Equal("Hi you", (await _house.Reader.GetContentAsync(TenantId.First, messages[0].Id, default))!.Text);
        Assert.Equal("Hi Ann", (await _house.Reader.GetContentAsync(TenantId.First, messages[1].Id, default))!.Text);
    }

    [Fact]
    public async Task Nothing_of_a_paused_batch_leaves_until_it_goes_on()
    {
        var batch = await _house.StartedAsync(300);
        await BatchHouse.RunAsync(_house.NewExpander(maxAhead: 100));
        Assert.Equal(100, (await _house.FindAsync(batch.Id)).Taken);
        Assert.Equal(3, (await _house.LeaseAsync(3)).Count);
        Assert.True(await _house.Batches.PauseAsync(TenantId.First, batch.Id, true, _house.Clock.GetUtcNow()));
        Assert.Empty(await _house.LeaseAsync(100));
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal((100, true), ((await _house.FindAsync(batch.Id)).Taken, (await _house.FindAsync(batch.Id)).IsPaused));

        Assert.True(await _house.Batches.PauseAsync(TenantId.First, batch.Id, false, _house.Clock.GetUtcNow()));
        while ((await _house.Expansion.WakeAsync(await _house.FindAsync(batch.Id), _house.Clock.GetUtcNow(), 50)).HasMore)
            ;
        Assert.Equal(97, (await _house.LeaseAsync(1_000)).Count);
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(200, (await _house.LeaseAsync(1_000)).Count);
    }

    [Fact]
    public async Task A_batch_that_came_in_one_call_can_be_paused_too()
    {
        var sent = await _house.Submitter.SubmitToDestinationsAsync(BatchHouse.News,
            [.. Everybody(5).Select(a => new Destination(new AddressText(a)))], Submission.SubmissionHouse.With(), default);
        var batch = Submission.SubmissionHouse.Receipt(sent).Batch!.Value;
        Assert.True(await _house.Batches.PauseAsync(TenantId.First, batch, true, _house.Clock.GetUtcNow()));
        Assert.Empty(await _house.LeaseAsync(100));
        Assert.True(await _house.Batches.PauseAsync(TenantId.First, batch, false, _house.Clock.GetUtcNow()));
        await _house.Expansion.WakeAsync(await _house.FindAsync(batch), _house.Clock.GetUtcNow(), 50);
        Assert.Equal(5, (await _house.LeaseAsync(100)).Count);
    }

    // Ids of other nodes lie between those of a batch, and the next id of this one is right behind them.
    [Fact]
    public async Task Cancelling_a_batch_leaves_mail_alone_whose_ids_lie_between_its_own()
    {
        var batch = await _house.StartedAsync(4);
        await _house.Batches.OpenAsync(batch.Id, _house.Ids.Reserve(4));
        var open = await _house.FindAsync(batch.Id);
        var content = new MessageContent
        {
            From = new Mail.Addresses.Mailbox(null, Mail.Addresses.EmailAddress.Parse("shop@example.com")),
            Text = "Not of the batch.",
        };
        // Messages of the range that another made: the second, and the one behind the last.
        var others = Piece(open, 1, 1).Messages.Concat(Piece(open, 4, 1).Messages).ToList();
        foreach (var other in others)
            await _house.Store.AcceptAsync(
                new Queue.Acceptance { Tenant = TenantId.First, Messages = [other with { Content = content }] }, default);

        Assert.True(await _house.Batches.CancelAsync(TenantId.First, batch.Id, _house.Clock.GetUtcNow()));
        await BatchHouse.RunAsync(_house.NewExpander());

        foreach (var other in others)
            Assert.Equal(RecipientState.Queued,
                (await _house.Reader.GetAsync(TenantId.First, other.Id, default))!.Recipients[0].State);
    }

    [Fact]
    public async Task Cancelling_ends_what_is_queued_and_makes_no_more()
    {
        var batch = await _house.StartedAsync(400);
        await BatchHouse.RunAsync(_house.NewExpander(maxAhead: 250));
        var leased = Assert.Single(await _house.LeaseAsync(1));
        Assert.True(await _house.Batches.CancelAsync(TenantId.First, batch.Id, _house.Clock.GetUtcNow()));
        Assert.Empty(await _house.LeaseAsync(1)); // also before the queue was looked through
        await BatchHouse.RunAsync(_house.NewExpander());
        var done = await _house.FindAsync(batch.Id);
        Assert.Equal((BatchState.Cancelled, 250), (done.State, done.Taken));
        await _house.Store.ReleaseAsync([leased], _house.Clock.GetUtcNow(), WaitReason.Released, default);
        Assert.Equal((250, 0), ((await _house.CountsAsync(batch.Id)).Cancelled, (await _house.CountsAsync(batch.Id)).Queued));
        Assert.Empty(await _house.LeaseAsync(100));
        Assert.False(await _house.Batches.CancelAsync(TenantId.First, batch.Id, _house.Clock.GetUtcNow()));
    }

    [Fact]
    public async Task Who_cancels_hears_of_all_that_is_not_sent_also_of_what_the_expander_ends()
    {
        var batch = await _house.StartedAsync(400);
        await BatchHouse.RunAsync(_house.NewExpander(maxAhead: 250));
        Assert.Single(await _house.LeaseAsync(1)); // under way: it ends with its attempt
        var first = Assert.IsType<MessageId>((await _house.FindAsync(batch.Id)).First);
        await _house.Store.CancelAsync(TenantId.First, first.Plus(100), _house.Clock.GetUtcNow(), default); // not by this call
        var large = new LargeBatches(_house.Batches, new RivalExpansion(_house.Expansion), _house.Submitter, _house.HandOver, _house.Ids,
            _house.Clock);
        Assert.Equal(398, await large.CancelAsync(TenantId.First, batch.Id, default));
    }

    /// <summary>Beside an expander that is faster with the first rows.</summary>
    sealed class RivalExpansion(IBatchExpansion store) : IBatchExpansion
    {
        public Task<PieceResult> ExpandAsync(BatchPiece piece) => store.ExpandAsync(piece);

        public async Task<BatchTurn> EndQueuedAsync(LargeBatch batch, DateTimeOffset now, int limit)
        {
            await store.EndQueuedAsync(batch, now, 50);
            return await store.EndQueuedAsync(batch, now, limit);
        }

        public Task<BatchTurn> WakeAsync(LargeBatch batch, DateTimeOffset now, int limit) => store.WakeAsync(batch, now, limit);
    }

    [Fact]
    public async Task Long_data_is_read_and_written_some_at_a_time()
    {
        await _house.TemplateAsync("hi", "Hi");
        var data = $$"""{"name":"{{new string('x', 60_000)}}"}""";
        var batch = await _house.StartedAsync(100, BatchHouse.News with { Subject = null, Text = null, Template = new("hi") }, _ => data);
        var read = await _house.Batches.ReadAsync(await _house.FindAsync(batch.Id), 0, 2_000, default);
        Assert.InRange(read.Sum(r => r.Bytes), 3_000_000, 4_300_000);
        var watched = new WatchedExpansion(_house.Expansion);
        await BatchHouse.RunAsync(_house.NewExpander(expansion: watched));
        Assert.Equal(Everybody(100).Order(), (await _house.AddressesAsync(batch.Id)).Order());
        Assert.Equal(BatchState.Expanded, (await _house.FindAsync(batch.Id)).State);
        Assert.All(watched.Pieces, p => Assert.True(p.Messages.Sum(m => m.MergeData?.Length ?? 0) < 1_200_000));
    }

    /// <summary>The store's, which looks on, and lets one batch take too long.</summary>
    sealed class WatchedExpansion(IBatchExpansion store) : IBatchExpansion
    {
        public MessageId? TooSlow { get; set; }
        public List<BatchPiece> Pieces { get; } = [];

        public Task<PieceResult> ExpandAsync(BatchPiece piece)
        {
            if (piece.Batch.Id == TooSlow)
                throw new TimeoutException("The search took longer than 5 s and was cut.");
            Pieces.Add(piece);
            return store.ExpandAsync(piece);
        }

        public Task<BatchTurn> EndQueuedAsync(LargeBatch batch, DateTimeOffset now, int limit) => store.EndQueuedAsync(batch, now, limit);
        public Task<BatchTurn> WakeAsync(LargeBatch batch, DateTimeOffset now, int limit) => store.WakeAsync(batch, now, limit);
    }

    [Fact]
    public async Task A_destination_has_at_most_64_KB_of_data_and_the_refusal_names_it()
    {
        string Data(int bytes) => $$"""{"a":"{{new string('ä', (bytes - 8) / 2)}}"}""";
        var lines = $$"""
            {"email":"a@example.com","data":{{Data(65_536)}}}
            {"email":"b@example.com","data":{{Data(65_538)}}}
            """;
        var read = await new ReadDestinations(_house.Submitter).LinesAsync(new StringReader(lines), default).ToListAsync();
        Assert.Equal(65_536 + "a@example.com".Length, read[0].Destination!.Bytes);
        Assert.Equal(("b@example.com", "invalid-field"), (read[1].Fault!.Email, read[1].Fault!.Slug));
        Assert.StartsWith("data has 65,538 bytes, and a destination takes at most 65,536. Shorten it", read[1].Fault!.Detail);

        await _house.TemplateAsync("hi", "Hi");
        var refused = Assert.IsType<SubmissionResult.Refused>(await _house.Submitter.SubmitToDestinationsAsync(
            BatchHouse.News with { Subject = null, Text = null, Template = new("hi") { Data = JsonElement.Parse("""{"name":"x"}""") } },
            [
                new(new AddressText("a@example.com"), JsonElement.Parse(Data(65_536))),
                new(new AddressText("b@example.com"), JsonElement.Parse(Data(65_538))),
            ], Submission.SubmissionHouse.With(), default)).Problem;
        Assert.Equal((422, "/destinations/1/data"), (refused.Status, refused.Errors[0].Pointer));
    }

    [Fact]
    public async Task Nothing_happens_before_its_time()
    {
        var batch = await _house.StartedAsync(5, BatchHouse.News with
        {
            SendAt = _house.Clock.GetUtcNow().AddHours(2).ToString("O"),
        });
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(0, (await _house.FindAsync(batch.Id)).Taken);
        _house.Clock.Advance(TimeSpan.FromHours(2));
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(5, (await _house.FindAsync(batch.Id)).Taken);
    }

    [Fact]
    public async Task A_call_that_broke_is_repeated_and_adds_only_what_is_missing()
    {
        var batch = await _house.AddAsync();
        await _house.AppendAsync(batch.Id, 0, 40, "k");
        Assert.Equal(40, (await _house.Batches.FindPartAsync(batch.Id, "k", default)).Lines);
        await _house.AppendAsync(batch.Id, 0, 25, "k");
        await _house.AppendAsync(batch.Id, 25, 35, "k");
        Assert.Equal(new AppendedPart(60, 60, 0), await _house.AppendAsync(batch.Id, 0, 60, "k"));
        await _house.Batches.StartAsync(TenantId.First, batch.Id, _house.Clock.GetUtcNow());
        Assert.Null(await _house.AppendAsync(batch.Id, 60, 1, "k"));
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(Everybody(60).Order(), (await _house.AddressesAsync(batch.Id)).Order());
    }

    [Fact]
    public async Task A_call_says_what_it_brought_and_is_told_where_another_with_its_key_is()
    {
        var batch = await _house.AddAsync();
        var first = (await _house.AppendAsync(batch.Id, 0, 40, "k", fingerprint: 7))!.Value;
        Assert.Equal(((UInt128?)7, false), (first.Fingerprint, first.IsComplete));
        Assert.Equal(first, await _house.AppendAsync(batch.Id, 0, 60, "k", fingerprint: 8));
        var whole = (await _house.AppendAsync(batch.Id, 40, 20, "k", fingerprint: UInt128.MaxValue, isLast: true))!.Value;
        Assert.Equal(new AppendedPart(60, 60, 0) { Fingerprint = UInt128.MaxValue, Total = 60 }, whole);
        Assert.Equal(whole, await _house.AppendAsync(batch.Id, 60, 5, "k", fingerprint: 9));
        Assert.Equal(whole, await _house.Batches.FindPartAsync(batch.Id, "k", default));
        Assert.Equal(60, (await _house.FindAsync(batch.Id)).Total);
        await _house.Batches.StartAsync(TenantId.First, batch.Id, _house.Clock.GetUtcNow());
        Assert.Equal(whole, await _house.AppendAsync(batch.Id, 0, 60, "k", fingerprint: 8));
        Assert.Null(await _house.AppendAsync(batch.Id, 0, 60, "k", fingerprint: 8, tenant: new TenantId(2)));
    }

    [Fact]
    public async Task A_batch_belongs_to_its_tenant()
    {
        var (batch, other, now) = (await _house.AddAsync(), new TenantId(2), _house.Clock.GetUtcNow());
        Assert.Null(await _house.Batches.FindAsync(other, batch.Id, default));
        Assert.False(await _house.Batches.PauseAsync(other, batch.Id, true, now));
        Assert.False(await _house.Batches.CancelAsync(other, batch.Id, now));
        Assert.False(await _house.Batches.StartAsync(other, batch.Id, now));
        var part = new BatchPart { Destinations = [], LinesBefore = 0, Lines = 1 };
        Assert.Null(await _house.Batches.AppendAsync(other, batch.Id, part, now));
    }

    [Fact]
    public async Task The_same_key_makes_one_batch()
    {
        var draft = await _house.DraftAsync() with { Key = ("k", new byte[] { 1 }) };
        var first = (await _house.Batches.AddAsync(draft))!.Value;
        var again = (await _house.Batches.AddAsync(await _house.DraftAsync() with { Key = ("k", new byte[] { 1 }) }))!.Value;
        var other = (await _house.Batches.AddAsync(await _house.DraftAsync() with { Key = ("k", new byte[] { 2 }) }))!.Value;
        Assert.Equal((draft.Id, true, false), (first.Batch.Id, first.IsNew, first.IsOther));
        Assert.Equal((draft.Id, false, false), (again.Batch.Id, again.IsNew, again.IsOther));
        Assert.True(other.IsOther);
    }

    [Fact]
    public async Task Calls_with_one_key_that_come_at_once_make_one_batch()
    {
        var list = _house.Ids.Next();
        Assert.True(await _house.Lists.AddAsync(list, TenantId.First, "people", _house.Clock.GetUtcNow()));
        await PutAsync(list, 1, 2);
        for (var round = 0; round < 10; round++)
        {
            var drafts = new List<NewLargeBatch>();
            for (var i = 0; i < 4; i++)
                drafts.Add(await _house.DraftAsync() with { Key = ($"k{round}", new byte[] { 1 }), List = round % 2 == 0 ? list : null });
            var added = await Task.WhenAll(drafts.Select(draft => Task.Run(() => _house.Batches.AddAsync(draft))));
            Assert.Single(added, one => one!.Value.IsNew);
            Assert.Single(added.Select(one => one!.Value.Batch.Id).Distinct());
            Assert.Equal(round + 1, (await _house.Batches.ListAsync(TenantId.First, null, 1_000, default)).Count);
        }
    }

    [Fact]
    public async Task A_batch_is_given_up_after_a_week_in_which_nothing_was_added()
    {
        var (batch, idle) = (await _house.AddAsync(), await _house.AddAsync());
        for (var day = 0; day < 12; day++)
        {
            await _house.AppendAsync(batch.Id, day, 1);
            _house.Clock.Advance(TimeSpan.FromDays(1));
            await BatchHouse.RunAsync(_house.NewExpander());
        }
        Assert.Equal((BatchState.Filling, 12), ((await _house.FindAsync(batch.Id)).State, (await _house.FindAsync(batch.Id)).Total));
        Assert.Equal(BatchState.Cancelled, (await _house.FindAsync(idle.Id)).State);
        _house.Clock.Advance(TimeSpan.FromDays(7));
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(BatchState.Cancelled, (await _house.FindAsync(batch.Id)).State);
    }

    // What clears a list away looks first and writes then: in between a batch may begin, and more be taken out of the list.
    [Fact]
    public async Task A_batch_that_begins_while_its_list_is_cleared_away_finds_everybody()
    {
        var list = _house.Ids.Next();
        Assert.True(await _house.Lists.AddAsync(list, TenantId.First, "people", _house.Clock.GetUtcNow()));
        await PutAsync(list, 1, 2, 3, 4);
        await _house.Lists.RemoveAsync(TenantId.First, list, BatchHouse.Address(4), _house.Clock.GetUtcNow());
        var draft = await _house.DraftAsync() with { List = list };
        await _house.Batches.AddAsync(draft);
        await _house.Lists.RemoveAsync(TenantId.First, list, BatchHouse.Address(2), _house.Clock.GetUtcNow());
        Assert.Equal(0, await _house.Tables.WriteAsync(connection => ListTables.Purge(connection, list.Value, 100)));
        await _house.Lists.DeleteAsync(TenantId.First, list, _house.Clock.GetUtcNow());
        Assert.Equal(0, await _house.Tables.WriteAsync(connection => ListTables.Purge(connection, list.Value, 100)));
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(new[] { 1, 2, 3 }.Select(BatchHouse.Address), (await _house.AddressesAsync(draft.Id)).Order());
        Assert.Empty(await _house.Batches.FaultsAsync(draft.Id, 0, 10, default));
        Assert.Equal(0, await _house.Tables.ReadAsync(connection => Dapper.SqlMapper.ExecuteScalar<long>(
            connection, "SELECT count(*) FROM destinations"), default));
    }

    [Fact]
    public async Task Destinations_that_are_gone_before_their_turn_are_counted_as_failed_and_told_of()
    {
        var batch = await _house.StartedAsync(5);
        await _house.Tables.WriteAsync(connection => Dapper.SqlMapper.Execute(
            connection, "DELETE FROM destinations WHERE source = @source AND n > 3", new { source = batch.Id.Value }));
        await BatchHouse.RunAsync(_house.NewExpander());
        var done = await _house.FindAsync(batch.Id);
        Assert.Equal((BatchState.Expanded, 5, 5, 2), (done.State, done.Total, done.Taken, done.Failed));
        var fault = Assert.Single(await _house.Batches.FaultsAsync(batch.Id, 0, 10, default));
        Assert.Equal(("destination-gone", null), (fault.Slug, fault.Email));
        Assert.StartsWith("2 destinations ", fault.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_batch_sees_its_list_as_it_was_when_it_began()
    {
        var list = _house.Ids.Next();
        Assert.True(await _house.Lists.AddAsync(list, TenantId.First, "people", _house.Clock.GetUtcNow()));
        await PutAsync(list, 1, 2, 3, 4);
        await _house.Lists.RemoveAsync(TenantId.First, list, BatchHouse.Address(2), _house.Clock.GetUtcNow());
        var batch = await _house.DraftAsync() with { List = list };
        var added = (await _house.Batches.AddAsync(batch))!.Value.Batch;
        Assert.Equal((BatchState.Expanding, 3), (added.State, added.Total));
        await _house.Lists.RemoveAsync(TenantId.First, list, BatchHouse.Address(1), _house.Clock.GetUtcNow());
        await PutAsync(list, 3, 5, 6);
        await _house.Batches.TidyAsync(_house.Clock.GetUtcNow(), 100);
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(new[] { 1, 3, 4 }.Select(BatchHouse.Address), (await _house.AddressesAsync(batch.Id)).Order());
        Assert.Equal(BatchState.Expanded, (await _house.FindAsync(batch.Id)).State);

        var later = await _house.DraftAsync() with { List = list };
        await _house.Batches.AddAsync(later);
        Assert.True(await _house.Lists.DeleteAsync(TenantId.First, list, _house.Clock.GetUtcNow()));
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(new[] { 3, 4, 5, 6 }.Select(BatchHouse.Address), (await _house.AddressesAsync(later.Id)).Order());
        Assert.Null(await _house.Batches.AddAsync(await _house.DraftAsync() with { List = list }));
    }

    Task<int?> PutAsync(MessageId list, params int[] numbers) => _house.Lists.PutAsync(
        TenantId.First, list, [.. numbers.Select(i => new StoredDestination(0, BatchHouse.Address(i), null, null))],
        _house.Clock.GetUtcNow());

    [Fact]
    public async Task A_batch_comes_with_what_else_its_transaction_does_or_not_at_all()
    {
        var draft = await _house.DraftAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => _house.Tables.WriteAsync<int>(connection =>
        {
            Assert.True(BatchTables.Add(connection, draft));
            throw new InvalidOperationException();
        }));
        Assert.Null(await _house.Batches.FindAsync(TenantId.First, draft.Id, default));
        Assert.True(await _house.Tables.WriteAsync(connection => BatchTables.Add(connection, draft)));
        Assert.NotNull(await _house.Batches.FindAsync(TenantId.First, draft.Id, default));
    }

    [Fact]
    public async Task A_batch_outlives_a_restart_in_the_middle()
    {
        var batch = await _house.StartedAsync(300);
        await BatchHouse.RunAsync(_house.NewExpander(maxAhead: 130));
        await _house.ReopenAsync();
        await BatchHouse.RunAsync(_house.NewExpander());
        Assert.Equal(Everybody(300).Order(), (await _house.AddressesAsync(batch.Id)).Order());
    }
}
