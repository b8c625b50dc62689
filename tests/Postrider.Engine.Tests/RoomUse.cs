using System.Collections.Immutable;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using Types = System.Collections.Immutable.ImmutableArray<System.Reflection.Metadata.TypeDefinitionHandle>;

namespace Postrider.Tests;

/// <summary>One room using another, and the member in which it does.</summary>
readonly record struct RoomUse(string From, string To, string Where)
{
    /// <summary>Every use of one room by another in an assembly: base types, signatures, attributes and the instructions of each
    /// method. A room is a namespace directly below <paramref name="house"/>; the house's own types are the room "".</summary>
    public static IReadOnlyCollection<RoomUse> Read(string assembly, string house)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        return new RoomUseReader(file, house).Read();
    }

    public static IReadOnlyCollection<string> Rooms(string assembly, string house)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        return new RoomUseReader(file, house).Rooms();
    }
}

/// <summary>Walks the tables and method bodies of one assembly.</summary>
sealed class RoomUseReader(PEReader file, string house) : ISignatureTypeProvider<Types, object?>
{
    static readonly Dictionary<short, OpCode> OpCodesByValue = typeof(OpCodes).GetFields()
        .Select(field => field.GetValue(null)).OfType<OpCode>().ToDictionary(code => code.Value);

    readonly MetadataReader _metadata = file.GetMetadataReader();
    readonly HashSet<RoomUse> _uses = [];
    string _room = "";   // of the type being read
    string _where = "";  // the member being read

    public HashSet<string> Rooms() => [.. _metadata.TypeDefinitions.Select(RoomOf).OfType<string>()];

    public HashSet<RoomUse> Read()
    {
        foreach (var handle in _metadata.TypeDefinitions)
        {
            if (RoomOf(handle) is not { } room)
                continue;
            _room = room;
            ReadType(_metadata.GetTypeDefinition(handle));
        }
        return _uses;
    }

    void ReadType(TypeDefinition type)
    {
        var name = _metadata.GetString(type.Name);
        _where = name;
        See(type.BaseType);
        foreach (var handle in type.GetInterfaceImplementations())
            See(_metadata.GetInterfaceImplementation(handle).Interface);
        ReadConstraints(type.GetGenericParameters());
        ReadAttributes(type.GetCustomAttributes());
        foreach (var handle in type.GetFields())
        {
            var field = _metadata.GetFieldDefinition(handle);
            _where = $"{name}.{_metadata.GetString(field.Name)}";
            See(field.DecodeSignature(this, null));
            ReadAttributes(field.GetCustomAttributes());
        }
        foreach (var handle in type.GetMethods())
        {
            var method = _metadata.GetMethodDefinition(handle);
            _where = $"{name}.{_metadata.GetString(method.Name)}";
            See(method.DecodeSignature(this, null));
            ReadConstraints(method.GetGenericParameters());
            ReadAttributes(method.GetCustomAttributes());
            ReadBody(method);
        }
    }

    void ReadConstraints(GenericParameterHandleCollection parameters)
    {
        foreach (var parameter in parameters)
            foreach (var handle in _metadata.GetGenericParameter(parameter).GetConstraints())
                See(_metadata.GetGenericParameterConstraint(handle).Type);
    }

    void ReadAttributes(CustomAttributeHandleCollection attributes)
    {
        foreach (var handle in attributes)
            See(_metadata.GetCustomAttribute(handle).Constructor);
    }

    void ReadBody(MethodDefinition method)
    {
        if (method.RelativeVirtualAddress == 0)
            return;
        var body = file.GetMethodBody(method.RelativeVirtualAddress);
        if (!body.LocalSignature.IsNil)
            See(_metadata.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(this, null));
        foreach (var region in body.ExceptionRegions)
            See(region.CatchType);
        var il = body.GetILReader();
        while (il.RemainingBytes > 0)
            ReadInstruction(ref il);
    }

    void ReadInstruction(ref BlobReader il)
    {
        // ECMA-335 III.1.2: a first byte of 0xFE starts an opcode of two bytes.
        var value = (short)il.ReadByte();
        if (value == 0xFE)
            value = (short)(0xFE00 | il.ReadByte());
        switch (OpCodesByValue[value].OperandType)
        {
            case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType:
                See(MetadataTokens.EntityHandle(il.ReadInt32()));
                break;
            case OperandType.InlineSwitch:
                var targets = il.ReadInt32();
                il.Offset += targets * sizeof(int);
                break;
            case OperandType.InlineI8 or OperandType.InlineR:
                il.Offset += 8;
                break;
            case OperandType.InlineVar:
                il.Offset += 2;
                break;
            case OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar:
                il.Offset += 1;
                break;
            case OperandType.InlineNone:
                break;
            default:
                il.Offset += 4;
                break;
        }
    }

    void See(EntityHandle handle)
    {
        if (!handle.IsNil)
            See(TypesOf(handle));
    }

    void See(MethodSignature<Types> signature)
    {
        See(signature.ReturnType);
        See(signature.ParameterTypes);
    }

    void See(ImmutableArray<Types> types)
    {
        foreach (var some in types)
            See(some);
    }

    void See(Types types)
    {
        foreach (var type in types)
            if (RoomOf(type) is { } room && room != _room)
                _uses.Add(new RoomUse(_room, room, _where));
    }

    Types TypesOf(EntityHandle handle) => handle.Kind switch
    {
        HandleKind.TypeDefinition => [(TypeDefinitionHandle)handle],
        HandleKind.TypeSpecification => _metadata.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(this, null),
        HandleKind.FieldDefinition => [_metadata.GetFieldDefinition((FieldDefinitionHandle)handle).GetDeclaringType()],
        HandleKind.MethodDefinition => [_metadata.GetMethodDefinition((MethodDefinitionHandle)handle).GetDeclaringType()],
        HandleKind.MemberReference => TypesOf(_metadata.GetMemberReference((MemberReferenceHandle)handle).Parent),
        HandleKind.MethodSpecification => TypesOf(_metadata.GetMethodSpecification((MethodSpecificationHandle)handle)),
        _ => [],
    };

    Types TypesOf(MethodSpecification method) =>
        [.. TypesOf(method.Method), .. method.DecodeSignature(this, null).SelectMany(types => types)];

    /// <summary>The word of the namespace after the house's; null for what is elsewhere.</summary>
    string? RoomOf(TypeDefinitionHandle handle)
    {
        var type = _metadata.GetTypeDefinition(handle);
        while (!type.GetDeclaringType().IsNil)
            type = _metadata.GetTypeDefinition(type.GetDeclaringType());
        var space = _metadata.GetString(type.Namespace);
        if (space == house)
            return "";
        return space.StartsWith(house + ".", StringComparison.Ordinal) ? space[(house.Length + 1)..].Split('.')[0] : null;
    }

    public Types GetFunctionPointerType(MethodSignature<Types> signature) =>
        [.. signature.ReturnType, .. signature.ParameterTypes.SelectMany(types => types)];
    public Types GetGenericMethodParameter(object? genericContext, int index) => [];
    public Types GetGenericTypeParameter(object? genericContext, int index) => [];
    public Types GetModifiedType(Types modifier, Types unmodifiedType, bool isRequired) =>
        [.. modifier, .. unmodifiedType];
    public Types GetPinnedType(Types elementType) => elementType;
    public Types GetTypeFromSpecification(MetadataReader reader, object? genericContext, TypeSpecificationHandle handle,
        byte rawTypeKind) =>
        reader.GetTypeSpecification(handle).DecodeSignature(this, genericContext);
    public Types GetPrimitiveType(PrimitiveTypeCode typeCode) => [];
    public Types GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) => [handle];
    public Types GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) => [];
    public Types GetSZArrayType(Types elementType) => elementType;
    public Types GetArrayType(Types elementType, ArrayShape shape) => elementType;
    public Types GetByReferenceType(Types elementType) => elementType;
    public Types GetGenericInstantiation(Types genericType, ImmutableArray<Types> typeArguments) =>
        [.. genericType, .. typeArguments.SelectMany(types => types)];
    public Types GetPointerType(Types elementType) => elementType;
}
