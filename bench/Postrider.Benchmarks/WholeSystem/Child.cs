using System.Diagnostics;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>A process that the benchmark started; it ends with the benchmark.</summary>
sealed class Child : IAsyncDisposable
{
    readonly Process _process;
    readonly Queue<string> _lastLines = new(); // guarded by itself

    Child(Process process) => _process = process;

    public int Id => _process.Id;
    public bool HasExited => _process.HasExited;
    public Stream Output => _process.StandardOutput.BaseStream;

    /// <summary>The newest lines the process wrote to standard error, for the message when it fails.</summary>
    public string LastWords
    {
        get
        {
            lock (_lastLines)
                return string.Join('\n', _lastLines);
        }
    }

    public static Child Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var info = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            info.Environment[name] = value;
        var child = new Child(Process.Start(info) ?? throw new InvalidOperationException($"{program} did not start."));
        child._process.ErrorDataReceived += (_, line) => child.Keep(line.Data);
        child._process.BeginErrorReadLine();
        return child;
    }

    /// <summary>Runs a program to its end and returns what it wrote to standard output. Throws with its last words when it fails.</summary>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? environment, CancellationToken ct)
    {
        await using var child = Start(program, arguments, environment);
        var text = await child._process.StandardOutput.ReadToEndAsync(ct);
        await child._process.WaitForExitAsync(ct);
        if (child._process.ExitCode == 0)
            return text;
        var command = $"{program} {string.Join(' ', arguments)}";
        throw new InvalidOperationException($"{command}: exit code {child._process.ExitCode}\n{child.LastWords}");
    }

    /// <summary>Reads standard output to nowhere, so that the process never waits for us.</summary>
    public void IgnoreOutput() => _ = Output.CopyToAsync(Stream.Null);

    public Task WaitAsync(CancellationToken ct) => _process.WaitForExitAsync(ct);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    void Keep(string? line)
    {
        if (line is null)
            return;
        lock (_lastLines)
        {
            _lastLines.Enqueue(line);
            if (_lastLines.Count > 20)
                _lastLines.Dequeue();
        }
    }
}
