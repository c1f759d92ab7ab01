// The everyday work of fhir-kit-client against a FHIR base: https://hl7.org/fhir/R4/http.html.
// Called with the base; prints what was done, a line each, and fails at the first thing that is not as it should be.

import assert from 'node:assert/strict';
import { Client } from 'fhir-kit-client';

const baseUrl = process.argv[2];
const client = new Client({ baseUrl });

const person = (family, more = {}) =>
  client.create({ resourceType: 'Patient', body: { resourceType: 'Patient', name: [{ family }], ...more } });

const measured = (reference, value, day) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference },
  effectiveDateTime: `2024-03-0${day}`,
  valueQuantity: { value, system: 'http://unitsofmeasure.org', code: '/min' },
});

const pulse = (patient, value, day) =>
  client.create({ resourceType: 'Observation', body: measured(`Patient/${patient.id}`, value, day) });

const refused = (asked, status) => assert.rejects(asked, (error) => error.response.status === status);
const types = (bundle) => bundle.entry.map((entry) => entry.resource.resourceType);
const entry = (fullUrl, resource) => ({
  fullUrl,
  resource,
  request: { method: 'POST', url: resource.resourceType },
});

const work = {
  async capabilities() {
    const told = await client.capabilityStatement();
    assert.equal(told.fhirVersion, '4.0.1');
  },

  async 'create, read, update and vread'() {
    const made = await person('Hopper', { birthDate: '1906-12-09' });
    const { response } = Client.httpFor(made);
    assert.equal(response.status, 201);
    assert.equal(response.headers.get('location'), `${baseUrl}/Patient/${made.id}/_history/1`);
    assert.deepEqual(await client.read({ resourceType: 'Patient', id: made.id }), made);
    const body = { ...made, gender: 'female' };
    const changed = await client.update({ resourceType: 'Patient', id: made.id, body });
    assert.equal(changed.meta.versionId, '2');
    assert.deepEqual(await client.vread({ resourceType: 'Patient', id: made.id, version: '1' }), made);
    const history = await client.history({ resourceType: 'Patient', id: made.id });
    assert.deepEqual(history.entry.map((one) => one.resource.meta.versionId), ['2', '1']);
    assert.ok((await client.history({ resourceType: 'Patient' })).entry.length >= 2);
    assert.ok((await client.history()).entry.length >= 2);
  },

  async 'an update from an old version is refused'() {
    const made = await person('Hopper');
    const options = { headers: { 'If-Match': 'W/"1"' } };
    const change = (gender) =>
      client.update({ resourceType: 'Patient', id: made.id, body: { ...made, gender }, options });
    assert.equal((await change('female')).meta.versionId, '2');
    await refused(change('male'), 412);
  },

  async 'conditional create and update'() {
    const body = { resourceType: 'Patient', identifier: [{ system: 'urn:example:mrn', value: '77' }] };
    const options = { headers: { 'If-None-Exist': 'identifier=urn:example:mrn|77' } };
    const made = await client.create({ resourceType: 'Patient', body, options });
    const again = await client.create({ resourceType: 'Patient', body, options });
    assert.equal(again.id, made.id);
    assert.equal(Client.httpFor(again).response.status, 200);
    const searchParams = { identifier: 'urn:example:mrn|77' };
    const changed = await client.update({
      resourceType: 'Patient',
      searchParams,
      body: { ...body, gender: 'male' },
    });
    assert.equal(changed.id, made.id);
    assert.equal(changed.gender, 'male');
  },

  async patch() {
    const made = await person('Hopper');
    const jsonPatch = [{ op: 'add', path: '/gender', value: 'female' }];
    const changed = await client.patch({ resourceType: 'Patient', id: made.id, jsonPatch });
    assert.equal(changed.gender, 'female');
    const wrong = [{ op: 'replace', path: '/gender', value: 'unicorn' }];
    await refused(client.patch({ resourceType: 'Patient', id: made.id, jsonPatch: wrong }), 422);
  },

  async delete() {
    const made = await person('Gone');
    await client.delete({ resourceType: 'Patient', id: made.id });
    await refused(client.read({ resourceType: 'Patient', id: made.id }), 410);
    await refused(client.read({ resourceType: 'Patient', id: 'nobody' }), 404);
  },

  async 'search, sorted, in pages, with includes'() {
    const patient = await person('Lovelace');
    for (let day = 1; day <= 5; day += 1) await pulse(patient, 60 + day, day);
    const searchParams = { patient: patient.id, _sort: '-date', _count: 2 };
    const first = await client.search({ resourceType: 'Observation', searchParams });
    const values = (bundle) => bundle.entry.map((one) => one.resource.valueQuantity.value);
    assert.deepEqual(values(first), [65, 64]);
    const second = await client.nextPage({ bundle: first });
    assert.deepEqual(values(second), [63, 62]);
    const third = await client.nextPage({ bundle: second });
    assert.deepEqual(values(third), [61]);
    assert.equal(client.nextPage({ bundle: third }), undefined);
    assert.deepEqual(values(await client.prevPage({ bundle: third })), [63, 62]);
    const posted = await client.search({
      resourceType: 'Observation',
      searchParams: { 'patient.name': 'lovelace', _include: 'Observation:patient' },
      options: { postSearch: true },
    });
    assert.deepEqual(new Set(types(posted)), new Set(['Observation', 'Patient']));
    assert.equal(posted.entry.length, 6);
    const turned = await client.search({
      resourceType: 'Patient',
      searchParams: { _id: patient.id, _revinclude: 'Observation:patient' },
    });
    assert.equal(turned.entry.length, 6);
    const compartment = { resourceType: 'Patient', id: patient.id };
    const inside = await client.search({
      resourceType: 'Observation',
      compartment,
      searchParams: { date: ['ge2024-03-02', 'lt2024-03-04'] },
    });
    assert.equal(inside.total, 2);
    const all = await client.search({ searchParams: { _type: 'Patient', _id: patient.id } });
    assert.deepEqual(types(all), ['Patient']);
    await refused(client.search({ resourceType: 'Patient', searchParams: { unicorn: '1' } }), 400);
  },

  async 'references are resolved'() {
    const patient = await person('Noether');
    const observation = await pulse(patient, 70, 1);
    const { reference } = observation.subject;
    assert.equal((await client.resolve({ reference })).id, patient.id);
    const absolute = `${baseUrl}/${reference}`;
    assert.equal((await client.resolve({ reference: absolute })).id, patient.id);
    const context = await client.search({
      resourceType: 'Observation',
      searchParams: { _id: observation.id, _include: 'Observation:patient' },
    });
    assert.equal((await client.resolve({ reference, context })).id, patient.id);
  },

  async 'transaction and batch'() {
    const name = 'urn:uuid:5a9dcb0c-6b8e-4f9e-8a38-bb2c1a2dd4a1';
    const patient = { resourceType: 'Patient', name: [{ family: 'Franklin' }] };
    const body = {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [entry(name, patient), entry(`${name.slice(0, -1)}2`, measured(name, 80, 1))],
    };
    const answer = await client.transaction({ body });
    assert.deepEqual(answer.entry.map((one) => one.response.status.slice(0, 3)), ['201', '201']);
    const found = await client.search({ resourceType: 'Observation', searchParams: { 'patient.name': 'franklin' } });
    assert.equal(found.total, 1);
    const bad = { resourceType: 'Patient', name: [{ family: 'Unstored' }], gender: 'unicorn' };
    const good = { resourceType: 'Patient', name: [{ family: 'Unstored' }] };
    const entries = [entry(name, good), entry(`${name.slice(0, -1)}2`, bad)];
    await refused(client.transaction({ body: { ...body, entry: entries } }), 422);
    const none = await client.search({ resourceType: 'Patient', searchParams: { family: 'unstored' } });
    assert.equal(none.total, 0);
    const batch = await client.batch({ body: { ...body, type: 'batch', entry: entries } });
    assert.deepEqual(batch.entry.map((one) => one.response.status.slice(0, 3)), ['201', '422']);
  },

  async operations() {
    const patient = await person('Turing');
    await pulse(patient, 70, 1);
    const everything = await client.operation({
      name: 'everything',
      resourceType: 'Patient',
      id: patient.id,
      method: 'GET',
    });
    assert.deepEqual(types(everything).sort(), ['Observation', 'Patient']);
    const input = { resourceType: 'Patient', gender: 'unicorn' };
    const outcome = await client.operation({ name: '$validate', resourceType: 'Patient', input });
    assert.equal(outcome.issue[0].severity, 'error');
  },
};

for (const [what, done] of Object.entries(work)) {
  try {
    await done();
  } catch (error) {
    console.error(what, error, JSON.stringify(error.response ?? {}));
    process.exit(1);
  }
  console.log(what);
}
