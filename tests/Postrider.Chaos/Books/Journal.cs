using System.Text;
using System.Threading.Channels;

namespace Postrider.Chaos.Books;

/// <summary>A file of lines; a line that was awaited is on disk. Lines that wait together share one fsync.</summary>
sealed class Journal : IAsyncDisposable
{
    readonly Channel<(string Line, TaskCompletionSource? Written)> _lines = Channel.CreateUnbounded<(string, TaskCompletionSource?)>();
    readonly Task _writing;

    public Journal(string path)
    {
        File.AppendAllText(path, ""); // there is a book from now on, if an empty one
        _writing = Task.Run(() => WriteAsync(path));
    }

    /// <summary>Completes when the line is on disk.</summary>
    public Task AddAsync(string line)
    {
        var written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _lines.Writer.TryWrite((line, written));
        return written.Task;
    }

    /// <summary>Written with the next awaited line, or at the end.</summary>
    public void Note(string line) => _lines.Writer.TryWrite((line, null));

    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await _writing;
    }

    /// <summary>The lines of a journal, each split at its tabs.</summary>
    public static IEnumerable<string[]> Read(string path) =>
        !File.Exists(path) ? [] : File.ReadLines(path).Select(line => line.Split('\t'));

    async Task WriteAsync(string path)
    {
        await using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        var waiting = new List<TaskCompletionSource>();
        while (await _lines.Reader.WaitToReadAsync())
        {
            while (_lines.Reader.TryRead(out var item))
            {
                file.Write(Encoding.UTF8.GetBytes(item.Line + "\n"));
                if (item.Written is { } written)
                    waiting.Add(written);
            }
            if (waiting.Count > 0)
                file.Flush(flushToDisk: true);
            waiting.ForEach(written => written.SetResult());
            waiting.Clear();
        }
    }
}
