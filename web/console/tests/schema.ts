/** As much of JSON Schema as docs/ref/openapi.json uses, and stricter: what a schema does not name may not be there. */

export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  items?: Schema;
  oneOf?: Schema[];
  allOf?: Schema[];
}

export type Schemas = Record<string, Schema>;

function resolved(schema: Schema, all: Schemas): Schema {
  return schema.$ref ? resolved(all[schema.$ref.split('/').pop()!]!, all) : schema;
}

/** All properties, and those that have to be there; null where it is no object. */
export function propertiesOf(schema: Schema, all: Schemas): { properties: Record<string, Schema>; required: string[] } | null {
  const own = resolved(schema, all);
  const parts = own.allOf?.map((part) => propertiesOf(part, all)) ?? [];
  if (!own.properties && !parts.length) return null;
  return {
    properties: Object.assign({}, ...parts.map((part) => part?.properties ?? {}), own.properties ?? {}),
    required: [...parts.flatMap((part) => part?.required ?? []), ...(own.required ?? [])],
  };
}

const typeOf = (value: unknown) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

/** What of a value is not as the schema says; empty when all is. */
export function faults(value: unknown, schema: Schema, all: Schemas, at = ''): string[] {
  const own = resolved(schema, all);
  if (own.oneOf) return own.oneOf.some((one) => faults(value, one, all, at).length === 0) ? [] : faults(value, own.oneOf[0]!, all, at);
  const is = typeOf(value);
  const wanted = own.type === undefined ? [] : [own.type].flat();
  const fits = wanted.length === 0 || wanted.includes(is) || (is === 'number' && wanted.includes('integer') && Number.isInteger(value));
  if (!fits) return [`${at}: ${is}, not ${wanted.join(' or ')}`];
  if (own.enum && !own.enum.includes(value)) return [`${at}: ${String(value)} is none of ${own.enum.join(', ')}`];
  if (Array.isArray(value)) return own.items ? value.slice(0, 20).flatMap((one, i) => faults(one, own.items!, all, `${at}[${i}]`)) : [];
  const object = propertiesOf(own, all);
  if (is !== 'object') return [];
  const entries = Object.entries(value as object);
  if (!object) return typeof own.additionalProperties === 'object' ? entries.flatMap(([name, one]) => faults(one, own.additionalProperties as Schema, all, `${at}.${name}`)) : [];
  return [
    ...object.required.filter((name) => !(name in (value as object))).map((name) => `${at}.${name} is missing`),
    ...entries.flatMap(([name, one]) => (object.properties[name] ? faults(one, object.properties[name]!, all, `${at}.${name}`) : [`${at}.${name} is unknown`])),
  ];
}
