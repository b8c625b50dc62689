using Microsoft.AspNetCore.Http;
using Postrider.Api;
using Postrider.Hosting;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>What bodies that are kept as bytes take of the memory that all bodies have together.</summary>
public sealed class BodyMemoryTests
{
    readonly JsonBody _bodies = new(new ServerOptions { MaxSendBytes = 5_000_000, MaxBodyMemoryBytes = 7_000_000 });

    [Fact]
    public async Task Bytes_count_for_as_long_as_they_are_used()
    {
        var (started, done) = (new TaskCompletionSource(), new TaskCompletionSource());
        var first = ReadAsync(2_500_000, async () =>
        {
            started.SetResult();
            await done.Task;
        });
        await started.Task;

        Assert.Equal("busy", await ReadAsync(2_500_000));
        Assert.Equal("900000", await ReadAsync(900_000));
        done.SetResult();
        Assert.Equal("2500000", await first);
        Assert.Equal("2500000", await ReadAsync(2_500_000));
    }

    [Fact]
    public async Task The_largest_body_is_read_where_it_is_alone_and_what_fails_gives_its_place_back()
    {
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("5000000", await ReadAsync(5_000_000));
            await Assert.ThrowsAsync<IOException>(() => ReadAsync(5_000_000, () => throw new IOException()));
        }
        Assert.Equal("too-large", await ReadAsync(5_000_001));
    }

    /// <returns>How many bytes came, or the problem.</returns>
    async Task<string> ReadAsync(int bytes, Func<Task>? use = null)
    {
        var context = new DefaultHttpContext();
        context.Request.Body = new MemoryStream(new byte[bytes]);
        return await _bodies.ReadBytesAsync(context, async body =>
        {
            if (use is not null)
                await use();
            return $"{body.Length}";
        }, problem => problem.Slug);
    }
}
