using System.Text;
using Postrider.Providers;

namespace Postrider.Api.Dialects;

/// <summary>Answers of dialects on their way out, and as they are kept for repetitions of a call.</summary>
static class DialectAnswers
{
    extension(DialectAnswer answer)
    {
        public async Task WriteAsync(HttpContext context)
        {
            var response = context.Response;
            response.StatusCode = answer.Status;
            response.ContentType = answer.ContentType;
            response.ContentLength = answer.Body.Length;
            // What is left of the body is not read, so the connection ends here: say so, or the client's next call is lost with it.
            if (answer.Status == StatusCodes.Status413PayloadTooLarge && context.Request.Protocol == HttpProtocol.Http11)
                response.Headers.Connection = "close";
            foreach (var (name, value) in answer.Headers)
                response.Headers.Append(name, value);
            if (!answer.Body.IsEmpty && !HttpMethods.IsHead(context.Request.Method))
                await response.BodyWriter.WriteAsync(answer.Body, context.RequestAborted);
        }

        /// <summary>The whole of it as bytes; <see cref="Kept"/> reads them.</summary>
        public ReadOnlyMemory<byte> ToBytes()
        {
            using var bytes = new MemoryStream();
            using (var writer = new BinaryWriter(bytes, Encoding.UTF8))
            {
                writer.Write(answer.Status);
                writer.Write(answer.ContentType ?? "");
                writer.Write(answer.Headers.Count);
                foreach (var (name, value) in answer.Headers)
                {
                    writer.Write(name);
                    writer.Write(value);
                }
                writer.Write(answer.Body.Span);
            }
            return bytes.ToArray();
        }
    }

    public static DialectAnswer Kept(ReadOnlyMemory<byte> bytes)
    {
        using var stream = new MemoryStream(bytes.ToArray());
        using var reader = new BinaryReader(stream, Encoding.UTF8);
        var status = reader.ReadInt32();
        var contentType = reader.ReadString();
        var headers = new KeyValuePair<string, string>[reader.ReadInt32()];
        for (var i = 0; i < headers.Length; i++)
            headers[i] = new(reader.ReadString(), reader.ReadString());
        return new DialectAnswer(status, bytes[(int)stream.Position..], contentType.Length == 0 ? null : contentType) { Headers = headers };
    }
}
