using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using System.Threading.Channels;
using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary>The reading side of one stream: takes lines, submits each, and hands the results on in their order.</summary>
/// <param name="key">Of the whole stream; null when there is none.</param>
sealed class NdjsonStream(
    Submitter submitter, TenantId tenant, string? key, long maxLineBytes, ChannelWriter<Task<byte[]>> results,
    CancellationToken stopping) : IDisposable
{
    // Enough for the store to fill a transaction while the last one is written to disk.
    const int MaxInFlight = 256;

    // A line above this is waited for, so that lines in flight hold at most MaxInFlight times as much.
    const int LargeLineBytes = 256 * 1024;

    readonly SemaphoreSlim _free = new(MaxInFlight);
    long _line; // of the last line taken, from 1; reading loop only

    public void Dispose() => _free.Dispose();

    /// <summary>Until the body ends, breaks off, or the process stops; completes the results, while some of them may still be under
    /// way.</summary>
    public async Task ReadAsync(PipeReader reader)
    {
        await using var stop = stopping.Register(reader.CancelPendingRead);
        try
        {
            await ReadLinesAsync(reader);
        }
        catch (Exception e) when (e is IOException or BadHttpRequestException or OperationCanceledException)
        {
            // The client broke off inside a line: what came before it stands.
        }
        finally
        {
            results.Complete();
        }
    }

    async Task ReadLinesAsync(PipeReader reader)
    {
        while (true)
        {
            if (await JsonBody.ReadMoreAsync(reader) is not { } read)
            {
                await results.WriteAsync(Task.FromResult(Refusal(_line + 1, JsonBody.NotCompressed)));
                return;
            }
            var rest = read.Buffer;
            while (!stopping.IsCancellationRequested && TryTakeLine(ref rest, read.IsCompleted, out var line))
                await SubmitAsync(line);
            var end = stopping.IsCancellationRequested ? SubmissionProblems.Draining
                : rest.Length > maxLineBytes ? JsonBody.TooLarge(maxLineBytes)
                : null;
            if (end is not null)
                await results.WriteAsync(Task.FromResult(Refusal(_line + 1, end)));
            reader.AdvanceTo(rest.Start, rest.End);
            if (end is not null || read.IsCompleted)
                return;
        }
    }

    static bool TryTakeLine(ref ReadOnlySequence<byte> rest, bool isLast, out ReadOnlySequence<byte> line)
    {
        line = rest;
        if (rest.IsEmpty)
            return false;
        var end = rest.PositionOf((byte)'\n');
        if (end is null && !isLast)
            return false;
        line = rest.Slice(0, end ?? rest.End);
        rest = end is null ? rest.Slice(rest.End) : rest.Slice(rest.GetPosition(1, end.Value));
        return true;
    }

    async Task SubmitAsync(ReadOnlySequence<byte> line)
    {
        var number = ++_line;
        if (IsBlank(line))
            return;
        await _free.WaitAsync();
        var body = JsonBody.Parse<SubmissionRequest>(line, SendReader.Email, key is null ? null : "NDJSON");
        var result = body.Value is null ? Done(Refusal(number, body.Problem!)) : AcceptAsync(number, body.Value, body.Hash);
        await results.WriteAsync(result);
        if (line.Length > LargeLineBytes)
            await result;
    }

    async Task<byte[]> AcceptAsync(long number, SubmissionRequest request, byte[]? hash)
    {
        try
        {
            var lineKey = key is null ? null : string.Create(CultureInfo.InvariantCulture, $"{key}:{number}");
            // Of any length: bulk, unless the line says otherwise.
            var result = await submitter.SubmitAsync(
                request with { Stream = request.Stream ?? "bulk" }, new SubmissionContext(tenant, lineKey, hash) { Answer = WriteId },
                CancellationToken.None);
            return result switch
            {
                SubmissionResult.Accepted(var receipt) => Numbered(number, WriteId(receipt).Span),
                SubmissionResult.Replayed(var answer) => Numbered(number, answer.Span),
                SubmissionResult.Refused(var problem) => Refusal(number, problem),
                _ => throw new InvalidOperationException($"Unknown result {result.GetType().Name}."),
            };
        }
        finally
        {
            _free.Release();
        }
    }

    Task<byte[]> Done(byte[] line)
    {
        _free.Release();
        return Task.FromResult(line);
    }

    static ReadOnlyMemory<byte> WriteId(SubmissionReceipt receipt) =>
        Encoding.ASCII.GetBytes($$"""{"id":"{{receipt.Items[0].Message!.Id}}"}""");

    /// <summary><c>{"id":…}</c> becomes <c>{"line":7,"id":…}</c> and a line feed.</summary>
    static byte[] Numbered(long number, ReadOnlySpan<byte> item)
    {
        var head = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"line\":{number},"));
        return [.. head, .. item[1..], (byte)'\n'];
    }

    static byte[] Refusal(long number, Problem problem)
    {
        var item = ApiJson.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WritePropertyName("error"u8);
            ProblemWriter.Write(writer, problem, forResend: true);
            writer.WriteEndObject();
        });
        return Numbered(number, item.Span);
    }

    static bool IsBlank(ReadOnlySequence<byte> line)
    {
        foreach (var part in line)
            if (part.Span.ContainsAnyExcept((byte)' ', (byte)'\r', (byte)'\t'))
                return false;
        return true;
    }
}
